// The quiet rest of what can be done: a button with three squares that opens a list. The browser closes it by Esc or a
// press elsewhere, and gives the focus back.
import { h, svg } from './dom.js';

let made = 0;

export class Menu {
  #list;
  #button;
  #shown = '';

  constructor() {
    const id = `menu-${(made += 1)}`;
    this.#list = h('div', { class: 'menu', id, popover: 'auto' });
    const dots = svg('path', { d: 'M3 7.5h3v3H3zM7.5 7.5h3v3h-3zM12 7.5h3v3h-3z', fill: 'currentColor' });
    const icon = svg('svg', { viewBox: '0 0 18 18', 'aria-hidden': 'true' }, dots);
    this.#button = h('button', { class: 'tool', type: 'button', popovertarget: id, 'data-role': 'menu' }, icon);
    this.#list.addEventListener('toggle', ({ newState }) => {
      if (newState === 'open') this.#opened();
      else delete this.#list.dataset.placed;
    });
    this.#list.addEventListener('keydown', (event) => this.#move(event));
    this.el = h('span', { class: 'menuplace' }, this.#button, this.#list);
  }

  /** `items`: `{ act, words, grave, then }`; `idle` says why none would work just now. */
  paint(label, items, idle) {
    const shown = [label, idle, ...items.map(({ act, words }) => act + words)].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#button.ariaLabel = this.#button.title = label;
    this.el.hidden = !items.length;
    if (!items.length && this.#list.matches(':popover-open')) this.#list.hidePopover();
    const had = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(...items.map((item) => this.#item(item, idle)), idle ? h('p', { class: 'small soft' }, idle) : '');
    if (had) this.#list.querySelector('button')?.focus();
  }

  #item({ act, words, grave, then }, idle) {
    const press = () => {
      if (idle) return;
      this.#list.hidePopover();
      then();
    };
    const attrs = { type: 'button', 'data-act': act, 'data-grave': grave, 'aria-disabled': idle ? 'true' : null };
    return h('button', { ...attrs, onclick: press }, words);
  }

  /** Below its button, and within the window. */
  #opened() {
    const at = this.#button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#list;
    const below = at.bottom + 4 + height <= innerHeight;
    this.#list.style.top = `${below ? at.bottom + 4 : Math.max(4, at.top - 4 - height)}px`;
    this.#list.style.left = `${Math.min(Math.max(8, at.right - width), innerWidth - width - 8)}px`;
    this.#list.dataset.placed = ''; // shown from here on: the event may come a frame after the opening
    this.#list.querySelector('button')?.focus();
    addEventListener('scroll', () => this.#list.hidePopover(), { once: true, passive: true });
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...this.#list.querySelectorAll('button')];
    const next = (all.indexOf(document.activeElement) + step + all.length) % all.length;
    all[next].focus();
  }
}
