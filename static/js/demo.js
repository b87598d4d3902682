// The strip over a demo's board: what it is, and a press that takes Evolution away for a minute.
import { h } from './dom.js';
import { mark } from './marks.js';
import { d } from './demo-words.js';
import { demoApi, serverNow } from './api.js';
import { instant, minutes } from './figures.js';
import { problem } from './words.js';

const DOWN_S = 60;
const AGAIN_MS = 2_000;

export class DemoStrip {
  #el;
  #state = null; // `{ up, until }`, the latter in ms of the server's clock
  #fault = '';
  #asked = 0;
  #parts;

  constructor(el) {
    this.#el = el;
    this.retell();
    this.#look();
    setInterval(() => this.#tick(), 1000);
  }

  retell() {
    const say = h('span', { class: 'num', role: 'status' });
    const fault = h('p', { class: 'fault', role: 'alert' });
    const press = h('button', { class: 'btn sm', type: 'button', 'data-act': 'down', onclick: () => this.#down() }, d('down'));
    this.#parts = { say, fault, press };
    const about = h('p', null, h('b', null, d('badge')), ' ', d('about'));
    this.#el.hidden = false;
    this.#el.replaceChildren(about, h('div', { class: 'evolution' }, mark('down'), say, press), fault);
    this.#paint();
  }

  async #down() {
    if (!this.#state?.up) return;
    await demoApi.down(DOWN_S).then(
      () => (this.#fault = ''),
      (error) => (this.#fault = problem(error.code)),
    );
    await this.#look();
  }

  async #look() {
    this.#asked = Date.now();
    try {
      const { evolution } = await demoApi.state();
      this.#state = { up: evolution.up, until: instant(evolution.downUntil)?.getTime() ?? null };
    } catch {
      // Our own server is away; the pill at the top says so. Asked again at the next tick.
    }
    this.#paint();
  }

  get #leftMs() {
    return this.#state?.until ? Math.max(0, this.#state.until - serverNow()) : 0;
  }

  #tick() {
    // Whoever else uses this demo may change it; while it is up, a press of one's own tells soon enough.
    if (!this.#state?.up && Date.now() - this.#asked >= AGAIN_MS) this.#look();
    this.#paint();
  }

  #paint() {
    const { say, fault, press } = this.#parts;
    const up = this.#state?.up ?? true;
    const words = up ? d('isBack') : d('isDown', { s: minutes(Math.ceil(this.#leftMs / 1000)) });
    this.#el.dataset.f = up ? 'ok' : 'warn';
    if (say.textContent !== words) say.textContent = words;
    say.ariaLive = up ? 'polite' : 'off'; // seconds are not read aloud
    fault.textContent = this.#fault;
    press.ariaDisabled = this.#state?.up ? null : 'true';
  }
}
