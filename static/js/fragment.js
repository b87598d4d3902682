// What a link brings after its `#`: browsers never send that part, and it leaves the address at once.

/** The value of `#<name>=<value>`, removed from the URL and from the history entry; `null` when there is none. */
export function takeFromAddress(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value !== null) history.replaceState(history.state, '', location.pathname + location.search);
  return value;
}
