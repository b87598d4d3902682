// A strip of the latest frames, one stroke each, its height by what it was: the pulse of a channel at a glance.
import { svg } from './dom.js';

const LENGTH = 40;
const STROKES = { message: ['m', 12], status: ['s', 9], qrcode: ['s', 9], notification: ['n', 14], other: ['o', 5] };

export class Tape {
  #frames = [];

  constructor() {
    this.el = svg('svg', { class: 'tape', viewBox: `0 0 ${LENGTH * 3} 16`, 'aria-hidden': 'true', preserveAspectRatio: 'none' });
    this.#paint();
  }

  add(type) {
    this.#frames.push(type in STROKES ? type : 'other');
    if (this.#frames.length > LENGTH) this.#frames.shift();
    this.#paint();
  }

  #paint() {
    const paths = { m: '', s: '', n: '', o: '', e: '' };
    const blank = LENGTH - this.#frames.length;
    for (let i = 0; i < blank; i += 1) paths.e += `M${i * 3 + 1} 15v-1.5`;
    this.#frames.forEach((type, i) => { const [name, height] = STROKES[type]; paths[name] += `M${(blank + i) * 3 + 1} 15v-${height}`; });
    this.el.replaceChildren(...Object.entries(paths).filter(([, d]) => d).map(([name, d]) => svg('path', { class: name, d, fill: 'none', 'stroke-width': 2 })));
  }
}
