// The page: its state is its address; this module shows what the address says.

import { addressOf, amend, current, go, queryOf } from "./address.js";
import { get } from "./api.js";
import { fillFacets } from "./facets.js";
import { Grid } from "./grid.js";
import { describe } from "./life.js";
import { fillTile } from "./tile.js";
import { count, element, visible } from "./text.js";

const byId = (id) => document.getElementById(id);

let datasets = [];
let panes = [];
let shown = { panes: "", query: "", life: "" };
let loading = new AbortController();

function fault(error) {
  if (error?.name === "AbortError") return;
  byId("fault").textContent = visible(error?.message ?? error);
  byId("fault").hidden = false;
}

/** Return the dataset that is shown, and the one that it is compared with, if any. */
function chosen(state) {
  const first = datasets[Number(state.d ?? 0)] ?? datasets[0];
  const wanted = state.other ?? (datasets.length === 2 ? String(1 - first.number) : "none");
  const other = datasets[Number(wanted)];
  return other && other !== first ? [first, other] : [first];
}

function choice(label, options, value, change) {
  const select = element("select", {}, ...options.map(([key, name]) =>
    element("option", { value: key, selected: key === value }, name)));
  select.addEventListener("change", () => change(select.value));
  return element("label", {}, element("span", {}, label), select);
}

function showChoices(state) {
  const [first, other] = chosen(state);
  const names = datasets.map((each) => [String(each.number), each.name]);
  const parts = [];
  if (datasets.length > 1) {
    parts.push(choice("Dataset", names, String(first.number), (d) => go({ d, at: "", life: "" })));
    const others = names.filter(([key]) => key !== String(first.number));
    parts.push(choice("beside", [["none", "none"], ...others], other ? String(other.number) : "none",
      (value) => go({ other: value, at: "", life: "" })));
  } else {
    parts.push(element("bdi", { title: first.path }, first.name));
  }
  byId("choices").replaceChildren(...parts);
}

function makePanes(sets) {
  panes = sets.map((dataset, place) => {
    const other = sets[1 - place];
    const grid = element("div", { class: "grid", id: `grid${place}` });
    const total = element("span", { class: "total" });
    const empty = element("p", { class: "empty", hidden: true }, "No image matches.");
    const heading = element("h2", {}, element("bdi", { title: dataset.path }, dataset.name), " ", total);
    byId("panes").append(element("section", { class: "pane", "aria-label": dataset.name }, heading, empty, grid));
    const pane = { dataset, total, empty };
    pane.fields = () => ({ d: dataset.number, other: other?.number, ...queryOf(current()) });
    pane.grid = new Grid(grid, {
      label: `Images of ${dataset.name}`,
      fetch: (from, number, signal) =>
        get("rows", { ...pane.fields(), from, count: number }, signal ?? loading.signal),
      fill: (tile, record) => fillTile(tile, record, dataset, other?.name),
      open: (index) => open(pane, index),
      fault,
      moved: (index) => {
        if (place === 0) amend({ at: index || "" });
      },
    });
    return pane;
  });
}

async function open(pane, index) {
  try {
    const record = await pane.grid.record(index);
    if (record) go({ life: `${pane.dataset.number}.${record.row}` });
  } catch (error) {
    fault(error);
  }
}

async function loadPane(pane, first) {
  pane.total.textContent = "…";
  const total = await pane.grid.load(first);
  pane.total.textContent = `${count(total)} ${total === 1 ? "image" : "images"}`;
  pane.empty.hidden = total > 0;
  return total;
}

async function showQuery(state) {
  byId("fault").hidden = true;
  loading.abort();
  loading = new AbortController();
  const [first, other] = chosen(state);
  const at = Number(state.at ?? 0) || 0;
  try {
    const totals = await Promise.all(panes.map((pane, place) => loadPane(pane, place === 0 ? at : 0)));
    byId("status").textContent = totals.map((total, place) => `${panes[place].dataset.name}: ${count(total)} images`).join(", ");
    const counts = await get("counts", panes[0].fields(), loading.signal);
    fillFacets(byId("facets"), counts, current(), first, other);
  } catch (error) {
    fault(error);
  }
}

let describing = new AbortController();

async function showLife(state) {
  const dialog = byId("life");
  describing.abort();
  if (!state.life) {
    if (dialog.open) dialog.close();
    return;
  }
  describing = new AbortController();
  const [number, row] = state.life.split(".");
  const pane = panes.find((each) => String(each.dataset.number) === number) ?? panes[0];
  const sets = [pane.dataset, ...chosen(state).filter((each) => each !== pane.dataset)];
  const body = byId("life-body");
  dialog.pane = pane;
  if (!dialog.open) {
    byId("life-title").textContent = "Reading …";
    body.replaceChildren();
    dialog.showModal();
  }
  byId("life-title").focus({ preventScroll: true });
  body.setAttribute("aria-busy", "true");
  try {
    const { title, content } = await describe(sets, row, describing.signal);
    byId("life-title").textContent = visible(title);
    body.replaceChildren(...content);
    body.scrollTop = 0;
    body.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("life-title").textContent = "Cannot be read";
    body.replaceChildren(element("p", { class: "fault" }, error.message));
  }
}

async function step(change) {
  const { pane } = byId("life");
  const { grid } = pane;
  const index = grid.index + change;
  if (index < 0 || index >= grid.total) return;
  grid.select(index);
  const record = await grid.record(index);
  if (record) {
    amend({ life: `${pane.dataset.number}.${record.row}` });
    show();
  }
}

/** Show what the address says: only what has changed. */
function show() {
  const state = current();
  const sets = chosen(state);
  const wanted = { panes: sets.map((each) => each.number).join(), query: JSON.stringify(queryOf(state)), life: state.life ?? "" };
  const isOther = wanted.panes !== shown.panes;
  if (isOther) {
    byId("panes").replaceChildren();
    document.body.classList.toggle("compared", sets.length > 1);
    document.title = `${sets.map((each) => visible(each.name)).join(" and ")} - tol browse`;
    showChoices(state);
    makePanes(sets);
  }
  if (isOther || wanted.query !== shown.query) {
    byId("q").value = state.q ?? "";
    byId("where").value = state.where ?? "";
    showQuery(state);
  }
  if (isOther || wanted.life !== shown.life) showLife(state);
  shown = wanted;
}

function listen() {
  addEventListener("popstate", show);
  addEventListener("address", show);
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    go({ q: byId("q").value.trim(), where: byId("where").value.trim(), at: "" });
    panes[0]?.grid.place.focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    dispatchEvent(new Event("address"));
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, select, textarea");
    if (event.key === "/" && !isTyping && !byId("life").open) {
      event.preventDefault();
      byId("q").focus();
      byId("q").select();
    } else if (event.key === "Escape" && event.target.matches("#q, #where")) {
      panes[0]?.grid.place.focus();
    }
  });
  const dialog = byId("life");
  dialog.addEventListener("close", () => {
    if (current().life) go({ life: "" });
    dialog.pane?.grid.place.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      step(event.key === "ArrowLeft" ? -1 : 1).catch(fault);
    }
  });
  byId("close").addEventListener("click", () => dialog.close());
  byId("previous").addEventListener("click", () => step(-1).catch(fault));
  byId("next").addEventListener("click", () => step(1).catch(fault));
  if (matchMedia("(max-width: 50rem)").matches) byId("filters").open = false;
}

async function start() {
  listen();
  datasets = (await get("datasets")).map((each, number) => ({ ...each, number }));
  const names = datasets.map((each) => each.name);
  for (const each of datasets) {
    if (names.filter((name) => name === each.name).length > 1) each.name = each.path;
  }
  show();
}

start().catch(fault);
