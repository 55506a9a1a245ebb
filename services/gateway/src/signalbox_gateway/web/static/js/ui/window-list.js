// A list of which only the visible rows are in the document; every row has the same height.
import { h } from "./dom.js";

const OVERSCAN = 8;

export class WindowList {
  #count = 0;
  #scheduled = false;
  #drawn = "";

  /**
   * rowHeight: in CSS pixels; the style sheet must give the rows this height.
   * row(index): the element of one row.
   */
  constructor({ rowHeight, row, ...attributes }) {
    Object.assign(this, { rowHeight, row });
    const label = { "aria-label": attributes["aria-label"] };
    const frame = { class: attributes.class, tabindex: "0", role: "group", onscroll: () => this.schedule() };
    this.list = h("ol", { class: "window-rows", reversed: attributes.reversed, ...label });
    this.element = h("div", { ...frame, ...label }, this.list);
    new ResizeObserver(() => this.schedule()).observe(this.element);
  }

  /** Redraws the visible rows, once per animation frame. */
  show(count) {
    this.#count = count;
    this.#drawn = "";
    this.schedule();
  }

  schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => { this.#scheduled = false; this.#draw(); });
  }

  /** Scrolls a row into view. */
  reveal(index) {
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else this.element.scrollTop = Math.max(scrollTop, top + this.rowHeight - clientHeight);
  }

  #draw() {
    const from = Math.max(0, Math.floor(this.element.scrollTop / this.rowHeight) - OVERSCAN);
    const visible = Math.ceil(this.element.clientHeight / this.rowHeight) + 2 * OVERSCAN;
    const to = Math.min(this.#count, from + visible);
    const key = `${from} ${to}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.list.style.setProperty("--rows", String(this.#count));
    this.list.style.setProperty("--first", String(from));
    const rows = [];
    for (let index = from; index < to; index += 1) {
      const row = this.row(index);
      row.setAttribute("aria-setsize", String(this.#count));
      row.setAttribute("aria-posinset", String(index + 1));
      rows.push(row);
    }
    this.list.replaceChildren(...rows);
  }
}
