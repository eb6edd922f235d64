// A grid of up to hundreds of millions of tiles, of which only the visible ones exist.
//
// Browsers limit the height of an element to some millions of pixels. Above that, the scroll bar is proportional:
// short scrolls move by pixels, long ones (drags of the bar) to a part of the grid, and the bar is corrected at rest.

import { element } from "./text.js";

const MAX_HEIGHT = 8_000_000;
const BLOCK = 120;
const MAX_BLOCKS = 80;
const NARROWEST = 148;
const CAPTION = 46;
const SPARE_ROWS = 2;
const REST_MS = 120;

export class Grid {
  /**
   * @param {HTMLElement} place The element that scrolls.
   * @param {object} options `label`; `fetch(from, count, signal)`, which returns `{total, rows}`;
   *   `fill(tile, record)`; `open(index)`; `fault(error)`; `moved(index)`, called at rest with the first visible index.
   */
  constructor(place, options) {
    this.place = place;
    this.options = options;
    this.layer = element("div", { class: "layer" });
    this.spacer = element("div", { class: "spacer" }, this.layer);
    place.append(this.spacer);
    place.setAttribute("role", "listbox");
    place.setAttribute("aria-label", options.label);
    place.tabIndex = 0;
    this.tiles = new Map();
    this.blocks = new Map();
    this.waiting = new Map();
    this.total = 0;
    this.index = 0;
    this.position = 0;
    this.lastTop = 0;
    place.addEventListener("scroll", () => this.scrolled(), { passive: true });
    place.addEventListener("keydown", (event) => this.pressed(event));
    place.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resized()).observe(place);
  }

  /** Show other rows, from an index on. Returns how many there are. */
  async load(first = 0) {
    for (const controller of this.waiting.values()) controller.abort();
    this.waiting.clear();
    this.blocks.clear();
    const generation = (this.generation = {});
    const block = Math.floor(first / BLOCK);
    this.place.setAttribute("aria-busy", "true");
    const answer = await this.options.fetch(block * BLOCK, BLOCK);
    if (generation !== this.generation) return this.total;
    this.place.removeAttribute("aria-busy");
    this.total = answer.total;
    this.blocks.set(block, answer.rows);
    this.clear();
    this.index = Math.max(0, Math.min(first, this.total - 1));
    this.measure();
    this.moveTo(Math.floor(this.index / this.columns) * this.rowHeight);
    return this.total;
  }

  clear() {
    for (const tile of this.tiles.values()) this.drop(tile);
    this.tiles.clear();
  }

  drop(tile) {
    tile.querySelector("img")?.removeAttribute("src");  // cancels its request
    tile.remove();
  }

  /** Return the record at an index, which is fetched if need be. */
  async record(index) {
    const block = Math.floor(index / BLOCK);
    if (!this.blocks.has(block)) await this.fetchBlock(block);
    return this.blocks.get(block)?.[index % BLOCK];
  }

  measure() {
    const width = this.place.clientWidth - 2;
    this.view = this.place.clientHeight;
    this.columns = Math.max(1, Math.floor(width / NARROWEST));
    this.tileWidth = Math.floor(width / this.columns);
    this.rowHeight = this.tileWidth + CAPTION;
    this.height = Math.ceil(this.total / this.columns) * this.rowHeight;
    this.shown = Math.min(this.height, MAX_HEIGHT);
    this.spacer.style.height = `${this.shown}px`;
  }

  get isScaled() {
    return this.height > this.shown;
  }

  resized() {
    if (!this.place.clientWidth) return;
    const first = this.columns ? Math.floor(this.position / this.rowHeight) * this.columns : 0;
    this.measure();
    this.clear();
    this.moveTo(Math.floor(first / this.columns) * this.rowHeight);
  }

  /** Scroll to a position in pixels of the complete grid. */
  moveTo(position) {
    this.position = Math.max(0, Math.min(position, this.height - this.view));
    this.place.scrollTop = this.anchor();
    this.lastTop = this.place.scrollTop;
    this.render();
  }

  /** Return where the scroll bar belongs; with room to scroll on both sides. */
  anchor() {
    if (!this.isScaled) return this.position;
    const last = this.height - this.view;
    const most = this.shown - this.view;
    if (this.position <= 0) return 0;
    if (this.position >= last) return most;
    return Math.max(this.view, Math.min(most - this.view, Math.round((this.position / last) * most)));
  }

  scrolled() {
    const top = this.place.scrollTop;
    const change = top - this.lastTop;
    if (change === 0) return;
    this.lastTop = top;
    if (!this.isScaled) this.position = top;
    else if (Math.abs(change) < 2 * this.view) this.position += change;
    else this.position = (top / (this.shown - this.view)) * (this.height - this.view);
    this.position = Math.max(0, Math.min(this.position, this.height - this.view));
    this.render();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.rested(), REST_MS);
  }

  rested() {
    if (this.place.scrollTop !== this.lastTop) {  // it moves again, and the event is still to come
      this.scrolled();
      return;
    }
    if (this.isScaled && Math.abs(this.anchor() - this.place.scrollTop) > 1) this.moveTo(this.position);
    this.options.moved(Math.round(this.position / this.rowHeight) * this.columns);
  }

  render() {
    const firstRow = Math.max(0, Math.floor(this.position / this.rowHeight) - SPARE_ROWS);
    const lastRow = Math.ceil((this.position + this.view) / this.rowHeight) + SPARE_ROWS;
    const first = firstRow * this.columns;
    const last = Math.min(this.total, lastRow * this.columns);
    const base = firstRow * this.rowHeight;
    this.layer.style.transform = `translateY(${this.place.scrollTop - this.position + base}px)`;
    for (const [index, tile] of this.tiles) {
      if (index < first || index >= last) {
        this.drop(tile);
        this.tiles.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) {
      const tile = this.tiles.get(index) ?? this.create(index);
      const x = (index % this.columns) * this.tileWidth;
      const y = Math.floor(index / this.columns) * this.rowHeight - base;
      tile.style.transform = `translate(${x}px, ${y}px)`;
      if (!tile.isFilled) this.fill(index, tile);
    }
    this.cancelFar(first, last);
    this.mark();
  }

  create(index) {
    const tile = element("div", { role: "option", class: "tile", id: `${this.place.id}-${index}` });
    tile.style.width = `${this.tileWidth}px`;
    tile.style.height = `${this.rowHeight}px`;
    tile.style.setProperty("--side", `${this.tileWidth - 8}px`);
    tile.dataset.index = index;
    tile.setAttribute("aria-posinset", index + 1);
    tile.setAttribute("aria-setsize", this.total);
    this.tiles.set(index, tile);
    this.layer.append(tile);
    return tile;
  }

  fill(index, tile) {
    const block = Math.floor(index / BLOCK);
    const rows = this.blocks.get(block);
    if (rows && index % BLOCK < rows.length) {
      tile.isFilled = true;
      this.options.fill(tile, rows[index % BLOCK]);
    } else if (!rows && !this.waiting.has(block)) {
      this.fetchBlock(block).then(() => this.render(), this.options.fault);
    }
  }

  async fetchBlock(block) {
    const controller = new AbortController();
    const generation = this.generation;
    this.waiting.set(block, controller);
    try {
      const answer = await this.options.fetch(block * BLOCK, BLOCK, controller.signal);
      if (generation !== this.generation) return;
      this.blocks.set(block, answer.rows);
      if (this.blocks.size > MAX_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (this.waiting.get(block) === controller) this.waiting.delete(block);
    }
  }

  /** Cancel requests for blocks that have left the view. */
  cancelFar(first, last) {
    for (const [block, controller] of this.waiting) {
      if ((block + 1) * BLOCK <= first || block * BLOCK >= last) controller.abort();
    }
  }

  mark() {
    for (const [index, tile] of this.tiles) tile.setAttribute("aria-selected", index === this.index);
    const id = `${this.place.id}-${this.index}`;
    if (this.tiles.has(this.index)) this.place.setAttribute("aria-activedescendant", id);
    else this.place.removeAttribute("aria-activedescendant");
  }

  /** Make a tile the current one, and scroll so that it is visible. */
  select(index) {
    if (!this.total) return;
    this.index = Math.max(0, Math.min(index, this.total - 1));
    const top = Math.floor(this.index / this.columns) * this.rowHeight;
    if (top < this.position) this.moveTo(top);
    else if (top + this.rowHeight > this.position + this.view) this.moveTo(top + this.rowHeight - this.view);
    else this.mark();
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.view / this.rowHeight)) * this.columns;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
      PageUp: -page, PageDown: page, Home: -this.total, End: this.total,
    };
    if (event.key in steps) {
      const wanted = this.index + steps[event.key];
      const isVertical = Math.abs(steps[event.key]) === this.columns;
      if (!isVertical || (wanted >= 0 && wanted < this.total)) this.select(wanted);
      this.options.moved(this.index);
    } else if ((event.key === "Enter" || event.key === " ") && this.total) {
      this.options.open(this.index);
    } else {
      return;
    }
    event.preventDefault();
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    this.index = Number(tile.dataset.index);
    this.mark();
    this.options.open(this.index);
  }
}
