// The search field with completions for its tokens.
import { div, h, replace, span, uniqueId } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { completions } from "./query.js";

const TYPED_MS = 250;

export class SearchField {
  #timer = 0;
  #offered = [];
  #at = -1;

  /** known(): what completions may offer; changed(text): the text after a pause, or at once with Enter. */
  constructor({ known, changed }) {
    Object.assign(this, { known, changed });
    this.list = h("div", { class: "suggestions", role: "listbox", id: uniqueId("suggestions"), "aria-label": "Suggestions", hidden: true });
    this.input = h("input", {
      type: "search", role: "combobox", "aria-label": "Search runs", "aria-expanded": "false", "aria-controls": this.list.id,
      "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: "status:failed by:… started:7d or any text",
      oninput: () => this.#onInput(), onkeydown: (event) => this.#onKey(event), onblur: () => this.#offer([]),
      onfocus: () => this.#offer(this.#complete()),
    });
    this.element = div("token-search", icon("search"), this.input, this.list);
  }

  get text() { return this.input.value.trim(); }

  /** Shows another text, unless what someone types is still to be searched for. */
  set text(text) {
    if (this.text !== text && !this.#timer) this.input.value = text;
  }

  /** Searches for nothing any more: the address belongs to another page. */
  close() { this.#stopWaiting(); }

  #stopWaiting() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #complete() { return completions(this.input.value, this.input.selectionStart ?? 0, this.known()); }

  #onInput() {
    this.#offer(this.#complete());
    this.#stopWaiting();
    this.#timer = setTimeout(() => this.#search(), TYPED_MS);
  }

  #search() {
    this.#stopWaiting();
    this.changed(this.text);
  }

  #offer(offered) {
    this.#offered = offered.slice(0, 12);
    this.#at = -1;
    this.list.hidden = this.#offered.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.removeAttribute("aria-activedescendant");
    replace(this.list, this.#offered.map((item, index) => h("div", {
      class: "suggestion", role: "option", id: `${this.list.id}-${index}`, "aria-selected": "false",
      // Before the field loses the focus, which removes the list.
      onpointerdown: (event) => { event.preventDefault(); this.#take(index); },
    }, item.label, item.about ? span("", item.about) : null)));
  }

  #onKey(event) {
    const count = this.#offered.length;
    if (event.key === "Enter") {
      if (this.#at >= 0) this.#take(this.#at);
      else this.#finish();
    } else if (event.key === "Escape" && count) this.#offer([]);
    else if (event.key === "ArrowDown" && count) this.#select((this.#at + 1) % count);
    else if (event.key === "ArrowUp" && count) this.#select((this.#at - 1 + count) % count);
    else return;
    event.preventDefault();
  }

  #select(index) {
    this.#at = index;
    for (const [at, option] of [...this.list.children].entries()) option.setAttribute("aria-selected", String(at === index));
    this.list.children[index].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${index}`);
  }

  #take(index) {
    const { text, caret } = this.#offered[index];
    this.input.value = text;
    this.input.setSelectionRange(caret, caret);
    this.#onInput();
  }

  #finish() {
    this.#offer([]);
    this.#search();
  }
}
