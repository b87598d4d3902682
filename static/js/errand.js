// One press and what came of it: asked, then confirmed by a change of the connection, or not. One at a time.
import { t } from './words.js';

const CONFIRM_MS = 15_000;

export class Errand {
  /** What is being asked for (an act of `actions.js`); `null` while nothing is. */
  act = null;
  /** Why it did not come about, in words. */
  fault = null;
  #since = 0;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  /** `send()` asks the server; it throws with words for the reader. */
  async run(act, send) {
    if (this.act) return;
    this.act = act;
    this.fault = null;
    const since = (this.#since = Date.now());
    this.#changed();
    try {
      await send();
    } catch (error) {
      // Once it has had an effect, how that ended is told by the connection itself.
      if (this.act && this.#since === since) this.#fail(error.message);
    }
  }

  /** It has had its effect. */
  settle() {
    this.act = this.fault = null;
  }

  /** Once a second: an answer is no confirmation, and its absence has to be said. */
  tick() {
    if (this.act && Date.now() - this.#since > CONFIRM_MS) this.#fail(t('unconfirmed'));
  }

  #fail(words) {
    this.act = null;
    this.fault = words;
    this.#changed();
  }
}
