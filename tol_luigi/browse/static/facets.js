// The filters: counts by split, source, state and taxon, each a link that sets or removes it.

import { addressOf } from "./address.js";
import { RANKS, count, element, stateName } from "./text.js";

/** Return a link that changes the state of the page without loading it again. */
export function link(changes, attributes, ...children) {
  return element("a", { href: addressOf(changes), "data-go": true, ...attributes }, ...children);
}

function choice(label, number, changes, isChosen) {
  const text = element("bdi", {}, label);
  const attributes = { class: "facet", "aria-current": isChosen ? "true" : undefined };
  return element("li", {}, link(changes, attributes, text, element("span", { class: "count" }, count(number))));
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function list(title, entries, key, chosen, all, label = (value) => value) {
  const items = entries.map(([value, number]) => choice(label(value), number, { [key]: value, at: "" }, value === chosen));
  const total = choice(all.label, all.number, { [key]: all.value, at: "" }, chosen === all.value);
  return section(title, element("ul", {}, total, ...items));
}

const sum = (entries) => entries.reduce((total, [, number]) => total + number, 0);

/** Fill the navigation with the counts of the shown dataset. */
export function fillFacets(place, counts, state, dataset, others) {
  const once = counts.split.filter(([split]) => split !== "train_small");
  const parts = [
    lineage(state),
    taxa(counts, state),
    list("Split", counts.split.filter(([split]) => split), "split", state.split ?? "",
      { label: "each image once", number: sum(once), value: "" }),
    list("Source", counts.source, "source", state.source ?? "",
      { label: "all sources", number: sum(counts.source), value: "" }),
    states(counts, state),
  ];
  if (others) parts.unshift(comparison(state, dataset));
  place.replaceChildren(...parts.filter(Boolean));
}

function states(counts, state) {
  const written = counts.state.find(([name]) => name === "written")?.[1] ?? 0;
  const others = counts.state.filter(([name]) => name !== "written");
  return section(
    "State",
    element(
      "ul",
      {},
      choice("with a sample", written, { state: "", at: "" }, !state.state || state.state === "written"),
      choice("any", sum(counts.state), { state: "any", at: "" }, state.state === "any"),
      ...others.map(([name, number]) =>
        choice(stateName(name), number, { state: name, at: "" }, state.state === name)),
    ),
  );
}

function comparison(state, dataset) {
  const isOnly = state.only === "1";
  return section(
    "Compare",
    element(
      "ul",
      {},
      element("li", {}, link({ only: "", at: "" }, { class: "facet", "aria-current": isOnly ? undefined : "true" }, "all images")),
      element("li", {}, link({ only: "1", at: "" }, { class: "facet", "aria-current": isOnly ? "true" : undefined },
        "only in one of them")),
    ),
    element("p", { class: "more" }, "Counts of ", element("bdi", {}, dataset.name)),
  );
}

function below(rank) {
  return Object.fromEntries(RANKS.slice(RANKS.indexOf(rank)).map((each) => [each, null]));
}

function lineage(state) {
  const chosen = RANKS.filter((rank) => rank in state);
  if (!chosen.length) return null;
  const steps = [element("li", {}, link({ ...below("kingdom"), at: "" }, {}, "all taxa"))];
  for (const rank of chosen) {
    const next = RANKS[RANKS.indexOf(rank) + 1];
    const name = state[rank] || `no ${rank}`;
    const changes = next ? { ...below(next), at: "" } : { at: "" };
    steps.push(element("li", {}, link(changes, { title: rank }, element("bdi", {}, name))));
  }
  return section("Taxon", element("ol", { class: "lineage" }, ...steps));
}

function taxa(counts, state) {
  if (!counts.rank || !counts.taxa.length) return null;
  const { rank } = counts;
  const items = counts.taxa.map(([name, number]) =>
    choice(name || `no ${rank}`, number, { [rank]: name, at: "" }, false));
  const more = counts.other_taxa ? [element("p", { class: "more" }, `and ${count(counts.other_taxa)} more`)] : [];
  const title = rank[0].toUpperCase() + rank.slice(1);
  return section(title, element("ul", { class: "long" }, ...items), ...more);
}
