// The simulated Evolution as a server of its own, and what happens on the phones that are linked to it.
import { PROGRAMS, ended, freePort, run, until } from './process.mjs';

const KEY = 'key-of-the-simulated-evolution';

export class Evolution {
  #child;
  #port;

  /** `codeMs`: how long a code lives there; as long as at WhatsApp unless said otherwise. */
  static async start({ codeMs } = {}) {
    const evolution = new Evolution();
    evolution.#port = await freePort();
    const env = { PORT: evolution.#port, KEY, QUICK: '1', ...(codeMs && { CODE_MS: String(codeMs) }) };
    evolution.#child = run(PROGRAMS.evolution, [], env);
    await until(() => evolution.#state(), 'the simulated Evolution to be there');
    return evolution;
  }

  /** What the gateway has to know of it. */
  get settings() {
    return { EVOLUTION_API_URL: `http://127.0.0.1:${this.#port}`, EVOLUTION_API_KEY: KEY };
  }

  async stop() {
    await ended(this.#child, 'SIGTERM');
  }

  /** What it has of this user; `undefined` when nothing. */
  async of(user) {
    const { instances } = await this.#state();
    return instances.find(({ name }) => name === `user_${user}`);
  }

  /** Whoever holds the phone scans the code that is shown. */
  scan(user, { number = '5511988887777', name = 'Loja Central' } = {}) {
    return this.#phone(user, 'scan', { number, name });
  }

  /** Types a code instead. */
  type(user, code, { number, name = 'Loja Central' }) {
    return this.#phone(user, 'type', { code, number, name });
  }

  /** Somebody writes. */
  say(user, text, { number = '5511977776666', name = 'Ana Teste' } = {}) {
    return this.#phone(user, 'message', { number, name, message: { text } });
  }

  /** The phone's network goes, until it is mended. */
  drop(user) {
    return this.#phone(user, 'drop', { seconds: 3600 });
  }

  mend(user) {
    return this.#phone(user, 'mend');
  }

  #phone(user, action, body = {}) {
    return this.#ask(`/simulator/phones/user_${user}/${action}`, { method: 'POST', body: JSON.stringify(body) });
  }

  async #state() {
    return (await this.#ask('/simulator')).json();
  }

  async #ask(path, options) {
    const answer = await fetch(this.settings.EVOLUTION_API_URL + path, options);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}
