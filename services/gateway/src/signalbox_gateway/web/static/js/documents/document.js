// A document: its pages as pictures or text, with its facts highlighted, and the facts of a page in a list.
import { api, artifactAddress } from "../data/api.js";
import { div, h, pictureElement, replace, setText, span } from "../ui/dom.js";
import { humane, plural } from "../ui/format.js";

const RESULT = "result.json";
const TYPES = { iban: "IBAN", vat: "VAT number", tax_id: "Tax code", email: "E-mail" };
const typeOf = (fact) => TYPES[fact.type] ?? humane(fact.type);
const PAGE = /^page-(\d+)\.(jpg|png|webp)$/;

export class DocumentView {
  #pages = new Map();
  #facts = [];
  #texts = new Map();
  #loaded = false;
  #at = 0;
  #chosen = null;

  constructor(runId) {
    this.runId = runId;
    this.shows = (artifact) => PAGE.test(artifact.name);
    this.count = span("count");
    this.strip = h("div", { class: "page-strip", role: "group", "aria-label": "Pages", onkeydown: (event) => this.#key(event) });
    this.sheet = div("page-sheet");
    this.table = div("facts");
    this.element = h("section", { class: "panel document", hidden: true, "aria-labelledby": "pages-title" },
      h("h2", { id: "pages-title" }, "Pages and facts", this.count), div("document-body", div("document-pages", this.strip, this.sheet), this.table));
  }

  update(snapshot) {
    for (const artifact of snapshot.artifacts) {
      const number = Number(PAGE.exec(artifact.name)?.[1]);
      if (number && !this.#pages.has(number)) this.#addPage(number, artifact.name);
    }
    if (!this.#loaded && snapshot.artifacts.some((artifact) => artifact.name === RESULT)) this.#load();
  }

  #addPage(number, name) {
    const face = pictureElement({ src: artifactAddress(this.runId, name), alt: "", loading: "lazy" });
    this.#pages.set(number, { name, tab: this.#tab(number, face) });
    this.strip.append(this.#pages.get(number).tab);
    this.element.hidden = false;
    if (!this.#at) this.#go(number);
  }

  #tab(number, face) {
    return h("button", {
      type: "button", class: "page-tab", "aria-pressed": "false", "aria-label": `Page ${number}`, tabindex: this.#pages.size ? "-1" : "0",
      onclick: () => this.#go(number),
    }, face, span("page-number", String(number)));
  }

  async #load() {
    this.#loaded = true;
    try {
      const file = await api.artifact(this.runId, RESULT);
      this.#facts = file.entities.map((fact, index) => ({ ...fact, index }));
      this.#texts = new Map(file.pages.map((page) => [page.number, page.text]));
    } catch { this.#loaded = false; return; }
    for (const number of this.#texts.keys()) if (!this.#pages.has(number)) this.#addTextPage(number);
    for (const [number, page] of this.#pages) {
      const count = this.#facts.filter((fact) => fact.page === number).length;
      page.tab.setAttribute("aria-label", `Page ${number}, ${plural(count, "fact")}`);
    }
    setText(this.count, plural(this.#facts.length, "fact"));
    this.#go(this.#at || 1);
  }

  #addTextPage(number) {
    this.#pages.set(number, { name: null, tab: this.#tab(number, h("span", { class: "page-text-face", "aria-hidden": "true" }, "text")) });
    this.strip.append(this.#pages.get(number).tab);
    this.element.hidden = false;
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const numbers = [...this.#pages.keys()].sort((one, other) => one - other);
    const next = numbers[numbers.indexOf(this.#at) + step];
    if (!step || next === undefined) return;
    event.preventDefault();
    this.#go(next);
    this.#pages.get(next).tab.focus();
  }

  #go(number) {
    this.#at = number;
    for (const [other, page] of this.#pages) {
      page.tab.setAttribute("aria-pressed", String(other === number));
      page.tab.tabIndex = other === number ? 0 : -1;
    }
    const page = this.#pages.get(number);
    const facts = this.#facts.filter((fact) => fact.page === number);
    replace(this.sheet, page?.name ? this.#picture(number, page.name, facts) : this.#text(number, facts));
    this.#drawTable(facts, number);
    this.#mark();
  }

  #picture(number, name, facts) {
    const boxes = facts.flatMap((fact) => (fact.boxes ?? []).map((box) => this.#box(fact, box)));
    return div("page-picture", pictureElement({ src: artifactAddress(this.runId, name), alt: `Page ${number}` }), boxes);
  }

  /** Mouse only; keyboard users choose facts in the list. */
  #box(fact, [left, top, right, bottom]) {
    const box = h("span", {
      class: fact.valid ? "fact-box" : "fact-box doubtful", "aria-hidden": "true", title: `${typeOf(fact)}: ${fact.value}`,
      data: { fact: fact.index }, onclick: () => this.#choose(fact.index),
    });
    for (const [name, part] of Object.entries({ x: left, y: top, w: right - left, h: bottom - top })) box.style.setProperty(`--${name}`, String(part));
    return box;
  }

  #text(number, facts) {
    const text = this.#texts.get(number) ?? "";
    const parts = [];
    let from = 0;
    for (const fact of facts) {
      parts.push(text.slice(from, fact.start),
        h("mark", { class: fact.valid ? "" : "doubtful", data: { fact: fact.index } }, text.slice(fact.start, fact.end)));
      from = fact.end;
    }
    return h("pre", { class: "page-text", tabindex: "0", "aria-label": `Text of page ${number}` }, parts, text.slice(from));
  }

  #drawTable(facts, number) {
    if (!this.#loaded) { replace(this.table); return; }
    const rows = facts.map((fact) => h("li", { class: "fact", data: { fact: fact.index } },
      h("button", { type: "button", class: "fact-button", "aria-pressed": "false", onclick: () => this.#choose(fact.index) },
        span("fact-type", typeOf(fact)), span("fact-value", [fact.value, fact.currency].filter(Boolean).join(" ")),
        fact.note ? span(fact.valid ? "fact-note" : "fact-note bad", fact.note) : null)));
    replace(this.table, h("h3", {}, `Facts on page ${number}`), rows.length ? h("ul", { class: "fact-list" }, rows) : h("p", { class: "hint" }, "No facts were found on this page."));
  }

  #choose(index) {
    this.#chosen = this.#chosen === index ? null : index;
    this.#mark();
  }

  #mark() {
    for (const element of this.element.querySelectorAll("[data-fact]")) {
      const isChosen = Number(element.dataset.fact) === this.#chosen;
      element.classList.toggle("chosen", isChosen);
      element.querySelector(".fact-button")?.setAttribute("aria-pressed", String(isChosen));
      if (isChosen && element.matches(".fact-box, mark")) element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
