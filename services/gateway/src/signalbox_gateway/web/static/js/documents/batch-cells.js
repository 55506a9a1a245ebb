// The cells of a batch, one link per document: a single tab stop, arrow keys between cells, a filter by state.
import { div, h, replace, setText, span, uniqueId } from "../ui/dom.js";
import { statusDot } from "../ui/status.js";

const MAX_CELLS = 1000;

export class CellGrid {
  #cells = new Map();
  #items = "";
  #only = "";
  #at = 0;

  constructor({ label, href, states }) {
    Object.assign(this, { label, href, states });
    this.list = h("ul", {
      class: "cells", "aria-label": "Documents by state; arrow keys move, Enter opens",
      onkeydown: (event) => this.#key(event), onfocusin: (event) => this.#showLabel(event), onmouseover: (event) => this.#showLabel(event),
    });
    this.readout = h("p", { class: "cells-said", "aria-hidden": "true" });
    this.more = h("p", { class: "hint" });
    this.filters = this.#filters();
    this.element = div("cells-view", this.filters.element, this.list, this.readout, this.more);
  }

  update(items, counts) {
    this.#items = items;
    this.filters.update(counts, items.length);
    const shown = [];
    for (let index = 0; index < items.length && shown.length < MAX_CELLS; index += 1) {
      if (!this.#only || items[index] === this.#only) shown.push(index);
    }
    this.#show(shown);
    const all = this.#only ? counts[this.#only] ?? 0 : items.length;
    setText(this.more, all > MAX_CELLS ? `The first ${MAX_CELLS.toLocaleString("en")} of ${all.toLocaleString("en")} are shown; choose a state to see fewer.` : "");
  }

  /** Redraws every label at the next update, because the names have changed. */
  invalidate() {
    for (const cell of this.#cells.values()) cell.letter = null;
  }

  #show(indexes) {
    const wanted = new Set(indexes);
    for (const [index, cell] of this.#cells) if (!wanted.has(index)) { cell.element.remove(); this.#cells.delete(index); }
    let before = null;
    for (const index of indexes) {
      const cell = this.#cell(index);
      this.#draw(cell, index);
      const place = before ? before.nextElementSibling : this.list.firstElementChild;
      if (place !== cell.element) this.list.insertBefore(cell.element, place);
      before = cell.element;
    }
    if (!wanted.has(this.#at)) this.#at = indexes[0] ?? 0;
    for (const [index, cell] of this.#cells) cell.link.tabIndex = index === this.#at ? 0 : -1;
  }

  #cell(index) {
    if (!this.#cells.has(index)) {
      const link = h("a", { class: "cell" });
      this.#cells.set(index, { link, letter: null, element: h("li", { data: { index } }, link) });
    }
    return this.#cells.get(index);
  }

  #draw(cell, index) {
    const letter = this.#items[index];
    if (cell.letter === letter) return;
    cell.letter = letter;
    cell.link.dataset.state = this.states[letter]?.name ?? "todo";
    cell.link.setAttribute("href", this.href(index));
    cell.link.setAttribute("aria-label", this.label(index));
  }

  #showLabel(event) {
    const link = event.target.closest?.("a.cell");
    setText(this.readout, link ? link.getAttribute("aria-label") : "");
    if (link && event.type === "focusin") this.#at = Number(link.parentElement.dataset.index);
  }

  #key(event) {
    const cells = [...this.list.children];
    const at = cells.findIndex((cell) => cell.contains(document.activeElement));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#perRow(cells), ArrowUp: -this.#perRow(cells), Home: -at, End: cells.length - 1 - at };
    const step = steps[event.key];
    if (at === -1 || step === undefined) return;
    event.preventDefault();
    const next = cells[Math.min(cells.length - 1, Math.max(0, at + step))].firstElementChild;
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  #perRow(cells) {
    const top = cells[0]?.offsetTop;
    const first = cells.findIndex((cell) => cell.offsetTop !== top);
    return first === -1 ? cells.length : first;
  }

  /** Radio buttons with counts: everything, or one state. */
  #filters() {
    const name = uniqueId("state");
    const counts = new Map();
    const choice = (letter, word, status) => {
      const count = span("filter-count");
      const input = h("input", { type: "radio", name, value: letter, checked: letter === "", onchange: () => this.#filter(letter) });
      const element = h("label", { class: "filter" }, input, status ? statusDot(status) : null, h("span", {}, word), count);
      counts.set(letter, { count, element });
      return element;
    };
    const choices = [choice("", "All", null), ...Object.entries(this.states).map(([letter, { word, aspect }]) => choice(letter, word, aspect))];
    const update = (found, total) => {
      for (const [letter, part] of counts) {
        const number = letter ? found[letter] ?? 0 : total;
        setText(part.count, number.toLocaleString("en"));
        part.element.hidden = letter !== "" && number === 0 && this.#only !== letter;
      }
    };
    return { element: h("fieldset", { class: "cell-filters" }, h("legend", { class: "visually-hidden" }, "Show documents"), choices), update };
  }

  #filter(letter) {
    this.#only = letter;
    const counts = {};
    for (const item of this.#items) counts[item] = (counts[item] ?? 0) + 1;
    this.update(this.#items, counts);
  }
}
