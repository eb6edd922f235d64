// Elements, and texts of data. Nothing from a dataset ever becomes HTML: it is text, or the value of an attribute.

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Return a text in which characters that are invisible, or that reorder others, can be seen. */
export function visible(text) {
  return String(text).replace(HIDDEN, (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** Return an element with attributes and children; texts among the children are shown as they are. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, visible(value));
  }
  for (const child of children) made.append(typeof child === "string" ? visible(child) : child);
  return made;
}

export const RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species"];

/** Return genus and species, or else the lowest known rank. */
export function scientificName(record) {
  if (record.genus && record.species) return `${record.genus} ${record.species}`;
  const known = RANKS.map((rank) => record[rank]).filter(Boolean);
  return known.at(-1) ?? "no name";
}

/** Return the common name, "" if the catalog has another name in its place. */
export function commonName(record) {
  const ranks = RANKS.map((rank) => record[rank]).filter(Boolean).join(" ");
  const others = [scientificName(record), ranks, ""].map((name) => name.toLowerCase());
  return others.includes(record.common.toLowerCase()) ? "" : record.common;
}

/** Return a state as words. */
export function stateName(state) {
  return state === "written" ? "with a sample" : state.replaceAll("_", " ");
}

export const count = (number) => number.toLocaleString("en");
