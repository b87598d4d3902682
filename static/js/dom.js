// Building elements. Strings always become text, never markup: what comes from outside cannot turn into HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** Sets attributes (`null` and `false` leave them out), `on…` listeners, and children (strings, nodes, or nothing: `null`, `false`). */
function fill(el, attrs, kids) {
  for (const [key, value] of Object.entries(attrs ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value === true ? '' : value);
  }
  el.append(...kids.flat().filter((kid) => kid !== null && kid !== undefined && kid !== false && kid !== ''));
  return el;
}

export const h = (tag, attrs, ...kids) => fill(document.createElement(tag), attrs, kids);
export const svg = (tag, attrs, ...kids) => fill(document.createElementNS(SVG, tag), attrs, kids);

/** Text from outside: isolated, so that a right-to-left name cannot turn its neighbours around. */
export const bdi = (text, attrs) => h('bdi', attrs, String(text));

/** Splits a sentence at `{…}` and puts nodes in the gaps: word order is the language's, the nodes are ours. */
export function sentence(template, nodes) {
  return template.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? nodes[part] ?? '' : part));
}

export function keep(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a browser that keeps nothing still works */ }
}
