"use strict";
// The tree, the search, and the thumbnails. All texts are set as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { names, images, lineages, thumbs } = data;
  const count = names.length;
  const number = (value) => value.toLocaleString("en-US");
  const depth = (node) => data.depths.charCodeAt(node) - 48;
  const unknown = "(unknown)";
  const label = (node) => (node ? names[node] || unknown : "All life");

  // Nodes come before those below them, so parents and ends follow from the depths.
  const parents = new Int32Array(count), ends = new Int32Array(count);
  const path = [];
  for (let node = 0; node < count; node++) {
    while (path.length > depth(node)) ends[path.pop()] = node;
    parents[node] = path.length ? path[path.length - 1] : -1;
    path.push(node);
  }
  while (path.length) ends[path.pop()] = count;

  function children(node) {
    const found = [];
    for (let child = node + 1; child < ends[node]; child = ends[child]) found.push(child);
    return found;
  }

  function make(tag, { text, ...rest } = {}, ...inside) {
    const element = Object.assign(document.createElement(tag), rest);
    if (text !== undefined) element.textContent = text;
    element.append(...inside);
    return element;
  }

  // Images of taxa by source; the last source has the others. Lower ranks than the lowest one have no numbers.
  const { lowest, images: counted } = data.bySource;
  const columns = Int32Array.from({ length: count });
  for (let node = 0, column = 0; node < count; node++) columns[node] = depth(node) <= lowest ? column++ : -1;

  function bySource(node) {
    if (data.sources.length < 2 || columns[node] < 0) return [];
    const some = counted.map((source) => source[columns[node]]);
    some.push(images[node] - some.reduce((sum, one) => sum + one, 0));
    return data.sources.map((source, index) => [source, some[index]]).filter(([, one]) => one);
  }

  // Thumbnails

  function place(element, thumb) {
    const within = thumb % data.perSheet;
    element.classList.add(`s${Math.floor(thumb / data.perSheet)}`);
    const x = (within % data.columns) * data.side, y = Math.floor(within / data.columns) * data.side;
    element.style.backgroundPosition = `-${x}px -${y}px`;
    return element;
  }

  function thumbButton(thumb) {
    const [, name, ...fields] = thumbs[thumb];
    const source = fields[data.labels.indexOf("source")] || "";
    const button = make("button", { type: "button", className: "t", title: name, onclick: () => showDetail(thumb) });
    button.setAttribute("aria-label", `${name}, ${source}`);
    return place(button, thumb);
  }

  const dialog = document.getElementById("detail");
  function showDetail(thumb) {
    const [node, name, ...fields] = thumbs[thumb];
    const list = make("dl");
    data.labels.forEach((field, index) => {
      if (fields[index]) list.append(make("dt", { text: field }), make("dd", { text: fields[index] }));
    });
    const large = make("div", { className: "large" }, place(make("span"), thumb));
    large.setAttribute("role", "img");
    large.setAttribute("aria-label", name);
    const toTree = make("button", { type: "button", className: "plainbutton", text: "Show in the tree", onclick: () => {
      dialog.close();
      focusOn(node, true);
    } });
    const body = document.getElementById("detail-body");
    body.replaceChildren(make("h3", { id: "detail-name", text: name }), large, list, toTree);
    dialog.showModal();
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  for (const grid of document.querySelectorAll("[data-group]")) {
    grid.append(...data.groups[Number(grid.dataset.group)].map(thumbButton));
  }

  // Thumbnails in the order of the tree, so that those of a taxon are one range.
  const ordered = thumbs.map((_, thumb) => thumb).sort((one, other) => thumbs[one][0] - thumbs[other][0] || one - other);
  function firstFrom(node) {
    let low = 0, high = ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (thumbs[ordered[middle]][0] < node) low = middle + 1; else high = middle;
    }
    return low;
  }
  function thumbsOf(node, most) {
    const start = firstFrom(node), end = firstFrom(ends[node]), step = Math.max(1, (end - start) / most);
    const found = [];
    for (let at = start; at < end && found.length < most; at += step) found.push(ordered[Math.floor(at)]);
    return found;
  }

  const icicle = document.getElementById("icicle");
  if (!icicle) return;

  // The icicle: the chosen taxon, and two levels below it.

  const panel = document.getElementById("taxon"), crumbs = document.getElementById("crumbs");
  const LEAST = 19; // pixels: the height of a line
  let focused = 0;

  function shade(node) {
    let top = node;
    while (depth(top) > 2) top = parents[top];
    if (depth(top) < 1) return 0;
    return (top - parents[top] - 1 + (depth(top) === 2 ? hash(names[top]) : 0) + depth(node)) % 6;
  }
  function hash(text) {
    let sum = 0;
    for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
    return sum;
  }

  function describe(node) {
    const parts = [label(node), data.ranks[depth(node)], `${number(images[node])} images`];
    return parts.join(", ");
  }

  function block(node, column, top, height, columns) {
    const button = make("button", { type: "button" }, make("span", { text: label(node) }));
    if (height >= LEAST) button.append(make("span", { text: number(images[node]) }));
    button.dataset.node = node;
    button.style.background = `var(--k${shade(node)})`;
    button.setAttribute("aria-label", describe(node));
    button.title = describe(node);
    button.onclick = () => focusOn(node === focused && node ? parents[node] : node, true);
    return put(button, column, top, height, columns);
  }

  // The first column is half as wide as the others.
  function put(button, column, top, height, columns) {
    const width = 100 / (columns - 0.5), left = column ? (column - 0.5) * width : 0;
    button.tabIndex = -1;
    button.dataset.column = column;
    Object.assign(button.style, {
      left: `${left}%`, width: `${column ? width : width / 2}%`, top: `${top}px`, height: `${height}px`,
    });
    return button;
  }

  // Taxa lower than a line get one as far as they have room together; the others are one block.
  function fill(node, column, top, height, columns, blocks) {
    const below = children(node), hidden = data.hidden[node] || 0;
    if (column >= columns || !below.length) return;
    const sum = (some) => some.reduce((total, child) => total + images[child], 0);
    const pixels = (count) => (count / images[node]) * height;
    const own = images[node] - sum(below), empty = hidden ? 0 : pixels(own);
    let large, small, left, scale, count = below.length;
    do {
      large = below.slice(0, count);
      small = below.slice(count);
      left = small.length || hidden ? Math.max(LEAST, pixels(images[node] - sum(large)) - empty) : 0;
      scale = (height - left - empty) / (sum(large) || 1);
    } while (count && images[large[count - 1]] * scale < LEAST && count--);
    let at = top;
    const add = (child, tall) => {
      blocks.push(block(child, column, at, tall, columns));
      fill(child, column + 1, at, tall, columns, blocks);
      at += tall;
    };
    for (const child of large) add(child, images[child] * scale);
    const lines = Math.floor(left / LEAST), isAll = lines >= small.length && !hidden;
    const shown = isAll ? small.length : Math.max(0, lines - 1);
    for (const child of small.slice(0, shown)) add(child, LEAST);
    const end = top + height - empty;
    if (!isAll && end - at >= 4) blocks.push(more(node, small.length - shown + hidden, column, at, end - at, columns));
  }

  function more(node, rest, column, top, height, columns) {
    const text = `${number(rest)} more`;
    const button = make("button", { type: "button", className: "more" }, make("span", { text: height >= 14 ? text : "" }));
    button.setAttribute("aria-label", `${text} in ${label(node)}: listed when it is chosen`);
    button.dataset.node = node;
    button.onclick = () => focusOn(node, true);
    return put(button, column, top, height, columns);
  }

  function draw() {
    const columns = Math.min(icicle.clientWidth < 480 ? 2 : 3, 8 - depth(focused));
    const height = icicle.clientHeight, blocks = [];
    const own = block(focused, 0, 0, height, columns);
    own.classList.add("focus");
    blocks.push(own);
    fill(focused, 1, 0, height, columns, blocks);
    blocks[0].tabIndex = 0;
    icicle.replaceChildren(...blocks);
  }

  function facts(node) {
    const list = make("dl"), below = children(node);
    const add = (name, value) => list.append(make("dt", { text: name }), make("dd", { text: value }));
    const share = (100 * images[node]) / images[0];
    add("rank", node ? data.ranks[depth(node)] : "all kingdoms");
    if (data.commons[node]) add("common name", data.commons[node]);
    add("images", `${number(images[node])} (${share < 0.1 ? "<0.1" : share.toFixed(1)} %)`);
    const sources = bySource(node).map(([source, some]) => `${source} ${number(some)}`);
    if (sources.length) add("by source", sources.join(", "));
    add("lineages", number(lineages[node]));
    const own = images[node] - below.reduce((sum, child) => sum + images[child], 0);
    if (below.length && own && !data.hidden[node]) add("not below", `${number(own)} images have no lower rank`);
    return list;
  }

  function listed(node, most) {
    const below = children(node), rows = make("tbody");
    for (const child of below.slice(0, most)) {
      const button = make("button", { type: "button", text: label(child), onclick: () => focusOn(child, true) });
      rows.append(make("tr", {}, make("td", {}, button), make("td", { className: "n", text: number(images[child]) })));
    }
    const table = make("table", { className: "list" }, rows), parts = [];
    if (below.length) parts.push(table);
    if (below.length > most) {
      const text = `Show ${number(Math.min(200, below.length - most))} more of ${number(below.length)}`;
      parts.push(make("button", { type: "button", className: "plainbutton", text, onclick: () => showPanel(node, most + 200) }));
    }
    if (data.hidden[node]) parts.push(make("p", { className: "dim", text: `${number(data.hidden[node])} smaller taxa are not on this page.` }));
    return parts;
  }

  function showPanel(node, most = 12) {
    const grid = make("div", { className: "grid" }, ...thumbsOf(node, 18).map(thumbButton));
    panel.replaceChildren(make("h3", { text: label(node) }), facts(node), grid, ...listed(node, most));
  }

  function showCrumbs() {
    const way = [];
    for (let node = focused; node >= 0; node = parents[node]) way.unshift(node);
    crumbs.replaceChildren();
    way.forEach((node, index) => {
      if (index) crumbs.append(" › ");
      const isHere = node === focused;
      const step = make("button", { type: "button", text: label(node), onclick: () => focusOn(node, true) });
      if (isHere) step.setAttribute("aria-current", "true");
      crumbs.append(step);
    });
  }

  function focusOn(node, takesFocus) {
    const before = focused;
    focused = node;
    draw();
    showCrumbs();
    showPanel(node);
    if (takesFocus) {
      const next = icicle.querySelector(`[data-node="${before}"]:not(.more)`) || icicle.firstChild;
      choose(parents[before] === node ? next : icicle.firstChild);
      icicle.scrollIntoView({ block: "nearest" });
    }
  }

  function choose(button) {
    for (const other of icicle.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    button.tabIndex = 0;
    button.focus({ preventScroll: true });
  }

  function neighbour(button, key) {
    const all = [...icicle.children], column = Number(button.dataset.column), middle = button.offsetTop + 1;
    const inColumn = (wanted) => all.filter((one) => Number(one.dataset.column) === wanted);
    if (key === "ArrowDown" || key === "ArrowUp") {
      const peers = inColumn(column);
      return peers[peers.indexOf(button) + (key === "ArrowDown" ? 1 : -1)];
    }
    const wanted = inColumn(column + (key === "ArrowRight" ? 1 : -1));
    const across = (one) => one.offsetTop <= middle && one.offsetTop + one.offsetHeight >= middle;
    return wanted.find(across);
  }

  icicle.addEventListener("keydown", (event) => {
    const button = event.target.closest("button");
    if (event.key.startsWith("Arrow")) {
      const next = neighbour(button, event.key);
      if (next) choose(next);
      event.preventDefault();
    } else if ((event.key === "Escape" || event.key === "Backspace") && focused) {
      focusOn(parents[focused], true);
      event.preventDefault();
    }
  });

  // Search: names that begin with the text, then names and common names that contain it, most images first.

  const search = document.getElementById("search"), found = document.getElementById("found");
  const lower = [], lowerCommons = new Map();
  function look() {
    const text = search.value.trim().toLowerCase();
    found.replaceChildren();
    if (text.length < 2) return;
    if (!lower.length) {
      for (const name of names) lower.push(name.toLowerCase());
      for (const [node, name] of Object.entries(data.commons)) lowerCommons.set(Number(node), name.toLowerCase());
    }
    const hits = [];
    for (let node = 1; node < count; node++) {
      const at = lower[node].indexOf(text);
      if (at >= 0) hits.push([at > 0, node]);
      else if (lowerCommons.has(node) && lowerCommons.get(node).includes(text)) hits.push([true, node]);
    }
    hits.sort((one, other) => one[0] - other[0] || images[other[1]] - images[one[1]] || one[1] - other[1]);
    for (const [, node] of hits.slice(0, 40)) {
      const genus = depth(node) === 7 ? `${label(parents[node])} ` : "";
      const common = data.commons[node] ? ` (${data.commons[node]})` : "";
      const text = `${genus}${label(node)}${common} · ${data.ranks[depth(node)]} · ${number(images[node])}`;
      found.append(make("li", {}, make("button", { type: "button", text, onclick: () => {
        focusOn(node, true);
        search.value = "";
        found.replaceChildren();
      } })));
    }
    if (!hits.length) found.append(make("li", { text: "No taxon has this in its name." }));
    if (hits.length > 40) found.append(make("li", { className: "dim", text: `and ${number(hits.length - 40)} more` }));
  }
  search.addEventListener("input", look);

  let width = icicle.clientWidth;
  addEventListener("resize", () => { if (icicle.clientWidth !== width) { width = icicle.clientWidth; draw(); } });
  focusOn(0, false);
})();
