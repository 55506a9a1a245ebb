// The documents being read now, each with its progress, over one shared connection.
import { div, h, setText, span } from "../ui/dom.js";
import { emptySnapshot, fold } from "../data/fold.js";
import { gateway } from "../data/stream.js";

const MAX_ROWS = 12;
// Small documents finish within a second; throttle changes of the list so that people can read it.
const CHANGE_MS = 1500;

export class RowsUnderWay {
  #rows = new Map();
  #wanted = [];
  #timer = 0;
  #watch = null;
  #followed = "";

  constructor({ name, runOf, href }) {
    Object.assign(this, { name, runOf, href });
    this.list = h("ul", { class: "batch-rows" });
    this.element = h("div", { class: "batch-part", hidden: true }, h("h3", {}, "Being read now"), this.list);
  }

  /** Indexes of the documents being read. */
  update(indexes) {
    this.#wanted = indexes.slice(0, MAX_ROWS);
    if (indexes.length === 0) this.#follow();
    else if (!this.#timer) this.#timer = setTimeout(() => this.#follow(), this.#rows.size ? CHANGE_MS : 0);
  }

  close() {
    clearTimeout(this.#timer);
    this.#watch?.close();
    this.#watch = null;
  }

  #follow() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.element.hidden = this.#wanted.length === 0;
    const runs = new Map(this.#wanted.map((index) => [this.runOf(index), index]));
    for (const [run, row] of this.#rows) if (!runs.has(run)) { row.element.remove(); this.#rows.delete(run); }
    for (const [run, index] of runs) if (!this.#rows.has(run)) this.#add(run, index);
    const key = [...runs.keys()].join(" ");
    if (key === this.#followed) return;
    this.#followed = key;
    this.#watch?.close();
    this.#watch = runs.size ? this.#open([...runs.keys()]) : null;
  }

  #add(run, index) {
    const fill = span("meter-fill");
    const meter = h("div", { class: "meter unknown", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": this.name(index) }, fill);
    const message = span("batch-said");
    const element = h("li", { class: "batch-row under-way" }, h("a", { href: this.href(index) }, this.name(index)), meter, message);
    this.#rows.set(run, { element, fill, meter, message, snapshot: emptySnapshot(run) });
    this.list.append(element);
  }

  #open(runs) {
    const folded = (frame) => this.#take(frame.runid, (before) => fold(before, frame));
    return gateway.watch(runs, {
      snapshot: (view) => this.#take(view.run_id, (before) => ({ ...before, ...view })), event: folded, progress: folded,
    });
  }

  #take(run, change) {
    const row = this.#rows.get(run);
    if (!row) return;
    row.snapshot = change(row.snapshot);
    const step = row.snapshot.steps.find((item) => item.status === "running");
    const known = typeof step?.percent === "number";
    row.meter.classList.toggle("unknown", !known);
    if (known) {
      row.meter.setAttribute("aria-valuenow", String(Math.round(step.percent)));
      row.fill.style.setProperty("--part", `${Math.min(100, step.percent)}%`);
    } else row.meter.removeAttribute("aria-valuenow");
    setText(row.message, step ? [step.title, step.message].filter(Boolean).join(": ") : "");
  }
}
