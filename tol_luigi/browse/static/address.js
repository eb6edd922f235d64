// The address of the page holds all of its state, so that it can be shared and the back button works.

import { RANKS } from "./text.js";

const QUERY = ["q", "where", "split", "source", "state", ...RANKS, "only"];

/** Return the state in the address, by field; absent fields are absent. */
export function current() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

/** Return the part of a state that decides which images are shown. */
export function queryOf(state) {
  const entries = QUERY.filter((key) => key in state).map((key) => [key, state[key]]);
  return Object.fromEntries(entries);
}

/** Return an address with changes of the current state; an empty or missing value removes a field. */
export function addressOf(changes) {
  const fields = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    const isRank = RANKS.includes(key);  // an unknown rank is an empty name, and may be asked for
    if (value === undefined || value === null || (value === "" && !isRank)) fields.delete(key);
    else fields.set(key, value);
  }
  const text = fields.toString();
  return text ? `?${text}` : location.pathname;
}

/** Change the state with a new entry in the history, and tell the page. */
export function go(changes) {
  history.pushState(null, "", addressOf(changes));
  dispatchEvent(new Event("address"));
}

/** Change the state in place. */
export function amend(changes) {
  history.replaceState(null, "", addressOf(changes));
}
