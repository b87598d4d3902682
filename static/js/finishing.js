// The time between the scan and the first message: steps, and how long it may take at most.
import { h, sentence } from './dom.js';
import { chase, mark } from './marks.js';
import { t } from './words.js';
import { minutes } from './figures.js';

const CEILING_MS = 120_000;

/** `since`: when the scan was noticed, in ms of this clock. */
export function finishing(since) {
  const bar = h('i');
  const spent = h('b', { class: 'num' });
  const steps = [
    h('li', { 'data-f': 'ok' }, mark('done'), t('fin1')),
    h('li', { class: 'now', 'data-f': 'move' }, chase(), t('fin2')),
    h('li', { 'data-f': 'off' }, mark('disconnected'), t('fin3')),
  ];
  const clock = h('p', { class: 'qclock' }, sentence(t('spent'), { s: spent }));
  const gauge = h('div', { class: 'gauge' }, bar);
  const el = h(
    'div',
    { class: 'finish' },
    h('p', { class: 'soft' }, t('finKeep')),
    h('ul', { class: 'did' }, steps),
    gauge,
    clock,
  );
  const tick = () => {
    const ms = Math.min(Date.now() - since, CEILING_MS);
    bar.style.inlineSize = `${(ms / CEILING_MS) * 100}%`;
    spent.textContent = minutes(Math.floor(ms / 1000));
  };
  tick();
  return { el, tick };
}
