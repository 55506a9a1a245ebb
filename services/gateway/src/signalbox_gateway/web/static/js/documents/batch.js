// A batch of documents: a cell per document, and lists of those being read, waiting for a person, and failed.
import { api } from "../data/api.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { hasEnded } from "../data/fold.js";
import { plural } from "../ui/format.js";
import { CellGrid } from "./batch-cells.js";
import { RowsUnderWay } from "./batch-rows.js";
import { decideInDialog } from "../approval/decide-dialog.js";
import { may } from "../data/session.js";

/** The letters of the step's `items`, in display order. */
export const STATES = {
  w: { name: "waiting", word: "Waiting for a person", aspect: "attention" },
  f: { name: "failed", word: "Failed", aspect: "failed" },
  r: { name: "reading", word: "Being read", aspect: "running" },
  c: { name: "ok", word: "Ok", aspect: "completed" },
  ".": { name: "todo", word: "To do", aspect: "pending" },
};
const LETTERS = { ok: "c", failed: "f", waiting: "w" };
const STEP = "process";
const LISTED = 20;

export class BatchView {
  #items = "";
  #names = null;
  #reasons = new Map();
  #reported = false;
  #final = "";
  #isOver = false;

  constructor(runId, { inboxChanged }) {
    Object.assign(this, { runId, inboxChanged });
    this.count = span("count");
    this.bar = h("div", { class: "batch-bar", "aria-hidden": "true" });
    this.grid = new CellGrid({ label: (index) => this.#label(index), href: (index) => this.#href(index), states: STATES });
    this.rows = new RowsUnderWay({ name: (index) => this.#name(index), runOf: (index) => this.#run(index), href: (index) => this.#href(index) });
    this.waiting = section("Waiting for a person");
    this.failed = section("Failed");
    this.element = h("section", { class: "panel batch", hidden: true, "aria-labelledby": "batch-title" },
      h("h2", { id: "batch-title" }, "Documents", this.count), this.bar, this.grid.element,
      this.rows.element, this.waiting.element, this.failed.element);
  }

  update(snapshot) {
    this.#load(snapshot);
    this.#isOver = hasEnded(snapshot);
    const items = this.#final || (snapshot.steps.find((step) => step.name === STEP)?.items ?? "");
    if (items === this.#items) return;
    this.#items = items;
    this.#draw();
  }

  close() { this.rows.close(); }

  #draw() {
    this.element.hidden = this.#items === "";
    const counts = countsOf(this.#items);
    setText(this.count, this.#items.length.toLocaleString("en"));
    replace(this.bar, Object.entries(STATES).filter(([letter]) => counts[letter]).map(([letter, state]) => share(state, counts[letter])));
    this.grid.update(this.#items, counts);
    this.rows.update(this.#isOver ? [] : indexesOf(this.#items, "r"));
    this.#list(this.waiting, "w", (index) => this.#waitingRow(index));
    this.#list(this.failed, "f", (index) => this.#failedRow(index));
  }

  #list(part, letter, row) {
    const indexes = indexesOf(this.#items, letter);
    part.show(indexes.slice(0, LISTED), row, indexes.length - LISTED);
  }

  #waitingRow(index) {
    const name = this.#name(index);
    const decide = h("button", { type: "button", class: "button", "aria-label": `Decide: ${name}`, onclick: () => this.#decide(index) }, "Decide");
    return h("li", { class: "batch-row" }, h("a", { href: this.#href(index) }, name), may("approver") ? decide : null);
  }

  #failedRow(index) {
    const reason = h("p", { class: "batch-why" });
    this.#reason(index).then((text) => setText(reason, text), () => {});
    return h("li", { class: "batch-row" }, h("a", { href: this.#href(index) }, this.#name(index)), reason);
  }

  async #decide(index) {
    await decideInDialog(this.#run(index), this.#name(index));
    this.inboxChanged();
  }

  /** The reason of a failure, read once: from the report when there is one, else from the document's run. */
  #reason(index) {
    if (!this.#reasons.has(index)) {
      const read = api.run(this.#run(index)).then((run) => (run.error ? `${run.error.message} (${run.error.code})` : ""));
      this.#reasons.set(index, read);
      read.catch(() => this.#reasons.delete(index));   // read again when the row is drawn again
    }
    return this.#reasons.get(index);
  }

  #load(snapshot) {
    const has = (name) => snapshot.artifacts.some((artifact) => artifact.name === name);
    if (this.#names === null && has("documents.json")) {
      this.#names = [];
      api.artifact(this.runId, "documents.json").then((listed) => this.#named(listed), () => { this.#names = null; });
    }
    if (!this.#reported && has("report.json")) {
      this.#reported = true;
      api.artifact(this.runId, "report.json").then((report) => this.#report(report), () => { this.#reported = false; });
    }
  }

  #named(listed) {
    this.#names = listed;
    this.#redraw();
  }

  #report(outcomes) {
    for (const { index, code, message } of outcomes) if (code) this.#reasons.set(index, Promise.resolve(`${message} (${code})`));
    // The last progress event may be missing; the report is complete.
    this.#final = this.#items = outcomes.map(({ status }) => LETTERS[status]).join("");
    this.#redraw();
  }

  /** Redraws everything with the names and reasons that are known now. */
  #redraw() {
    for (const part of [this.waiting, this.failed]) part.invalidate();
    this.grid.invalidate();
    if (this.#items) this.#draw();
  }

  #name(index) { return this.#names?.[index]?.name || `Document ${index + 1}`; }
  #run(index) { return this.#names?.[index]?.run_id ?? `${this.runId}.${String(index).padStart(5, "0")}`; }
  #href(index) { return `#/runs/${encodeURIComponent(this.#run(index))}`; }
  #label(index) { return `${this.#name(index)}: ${STATES[this.#items[index]]?.word.toLowerCase() ?? "unknown"}`; }
}

/** A list that reuses its rows. */
function section(title) {
  const rows = new Map();
  const count = span("count");
  const list = h("ul", { class: "batch-rows" });
  const more = h("p", { class: "hint" });
  const element = h("div", { class: "batch-part", hidden: true }, h("h3", {}, title, count), list, more);
  const show = (indexes, row, left) => {
    element.hidden = indexes.length === 0;
    setText(count, String(indexes.length + Math.max(0, left)));
    for (const [index, item] of rows) if (!indexes.includes(index)) { item.remove(); rows.delete(index); }
    for (const [place, index] of indexes.entries()) {
      if (!rows.has(index)) rows.set(index, row(index));
      if (list.children[place] !== rows.get(index)) list.insertBefore(rows.get(index), list.children[place] ?? null);
    }
    setText(more, left > 0 ? `and ${plural(left, "more")}; see report.json for all of them` : "");
  };
  const invalidate = () => { rows.clear(); replace(list); };
  return { element, show, invalidate };
}

function share(state, count) {
  const part = span("batch-share");
  part.dataset.state = state.name;
  part.style.setProperty("--count", String(count));
  return part;
}

function countsOf(items) {
  const counts = {};
  for (const letter of items) counts[letter] = (counts[letter] ?? 0) + 1;
  return counts;
}

function indexesOf(items, letter) {
  const found = [];
  for (let at = items.indexOf(letter); at !== -1; at = items.indexOf(letter, at + 1)) found.push(at);
  return found;
}
