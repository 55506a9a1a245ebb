// A list as long as the page, of which only the rows in view are in the document. Rows are kept by key, so that the
// focus, a selection and a running time stay.

const OVERSCAN = 12;

export class VirtualRows {
  #items = [];
  #rows = new Map();
  #scheduled = 0;

  /**
   * element: the list; its rows are positioned with the custom properties --top and --row-px.
   * rowPx(): the height of a row in CSS pixels.
   * keyOf(item), create(item) → {element, update(item)}.
   */
  constructor({ element, rowPx, keyOf, create }) {
    Object.assign(this, { element, rowPx, keyOf, create });
    this.onMove = () => this.#schedule();
    addEventListener("scroll", this.onMove, { passive: true });
    addEventListener("resize", this.onMove);
  }

  close() {
    removeEventListener("scroll", this.onMove);
    removeEventListener("resize", this.onMove);
    cancelAnimationFrame(this.#scheduled);
  }

  show(items) {
    this.#items = items;
    this.draw();
  }

  get items() { return this.#items; }

  /** Scrolls a row into view and returns its element. */
  reveal(index) {
    const top = this.element.getBoundingClientRect().top + index * this.rowPx();
    const margin = 3 * this.rowPx();
    if (top < margin) scrollBy(0, top - margin);
    else if (top + this.rowPx() > innerHeight - margin) scrollBy(0, top + this.rowPx() - innerHeight + margin);
    this.draw();
    return this.#rows.get(this.keyOf(this.#items[index]))?.element;
  }

  draw() {
    const height = this.rowPx();
    const above = Math.max(0, -this.element.getBoundingClientRect().top);
    const from = Math.max(0, Math.floor(above / height) - OVERSCAN);
    const to = Math.min(this.#items.length, Math.ceil((above + innerHeight) / height) + OVERSCAN);
    this.element.style.setProperty("--height", `${this.#items.length * height}px`);
    this.element.style.setProperty("--row-px", `${height}px`);
    this.#remove(new Set(this.#items.slice(from, to).map(this.keyOf)));
    for (let index = from; index < to; index += 1) this.#place(this.#items[index], index, index - from);
  }

  #remove(kept) {
    for (const [key, row] of this.#rows) {
      if (kept.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
  }

  /** Moves only rows that are out of place, so that the focus stays. */
  #place(item, index, position) {
    const key = this.keyOf(item);
    if (!this.#rows.has(key)) this.#rows.set(key, this.create(item));
    const { element } = this.#rows.get(key);
    this.#rows.get(key).update(item);
    element.style.setProperty("--top", `${index * this.rowPx()}px`);
    element.setAttribute("aria-setsize", String(this.#items.length));
    element.setAttribute("aria-posinset", String(index + 1));
    const before = this.element.children[position];
    if (before !== element) this.element.insertBefore(element, before ?? null);
  }

  #schedule() {
    cancelAnimationFrame(this.#scheduled);
    this.#scheduled = requestAnimationFrame(() => this.draw());
  }
}
