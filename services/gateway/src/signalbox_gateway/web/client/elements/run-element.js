// <signalbox-run run-id="…">: the status of a run and its steps, live.

import { RunsStore } from "../state/runs-store.js";
import { SignalboxElement } from "./base-element.js";
import { h, setText } from "./dom.js";

const ENDED = new Set(["completed", "failed", "cancelled", "terminated", "timed_out"]);

/** Emits `signalbox-run` with each new state, and `signalbox-end` when the run has ended. */
export class RunElement extends SignalboxElement {
  static observedAttributes = ["run-id", "origin", "token"];

  start() {
    const runId = this.getAttribute("run-id");
    this.shadowRoot.replaceChildren();
    if (!runId) return null;
    const view = new RunView(this);
    this.shadowRoot.append(view.element);
    const store = new RunsStore(this.signalbox, [runId]);
    let shown = null;
    let hasEnded = false;
    const update = () => {
      const { runs, connection, denied, error } = store.state;
      const run = runs[runId];
      view.show(run, { connection, isDenied: denied.includes(runId), error });
      if (!run || run === shown) return;
      shown = run;
      this.emit("run", run);
      if (ENDED.has(run.status) && !hasEnded) {
        hasEnded = true;
        this.emit("end", run);
      }
    };
    update();
    return store.subscribe(update);
  }
}

class RunView {
  #owner;
  #title = h("h2", { part: "title" });
  #status = h("p", { part: "status", role: "status" });
  #note = h("p", { class: "note", part: "note" });
  #steps = h("ol", { class: "stack", part: "steps" });
  #rows = new Map();

  constructor(owner) {
    this.#owner = owner;
    const head = h("div", { class: "head" }, this.#title, this.#status);
    this.element = h("section", {}, head, this.#note, this.#steps);
  }

  show(run, { connection, isDenied, error }) {
    const text = (name) => this.#owner.text(name);
    setText(this.#status, run ? text(run.status) : text(isDenied ? "denied" : "loading"));
    const trouble = error?.message ?? (connection === "waiting" ? text("waiting") : "");
    setText(this.#note, run?.error?.message ?? trouble);
    if (!run) return;
    setText(this.#title, run.title);
    const names = new Set(run.steps.map(({ name }) => name));
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#remove(name);
    for (const [index, step] of run.steps.entries()) this.#show(step, index, text);
  }

  /** A retried run can have other steps than before. */
  #remove(name) {
    this.#rows.get(name).element.remove();
    this.#rows.delete(name);
  }

  #show(step, index, text) {
    if (!this.#rows.has(step.name)) this.#rows.set(step.name, new StepRow());
    const row = this.#rows.get(step.name);
    row.show(step, text);
    const { children } = this.#steps;
    if (children[index] !== row.element) this.#steps.insertBefore(row.element, children[index] ?? null);
  }
}

class StepRow {
  #title = h("span");
  #state = h("span", { class: "note" });
  #message = h("p", { class: "note" });
  #bar = h("progress", { max: "100" });

  constructor() {
    this.element = h("li", { class: "step", part: "step" }, this.#title, this.#state);
  }

  show({ title, status, percent, message }, text) {
    setText(this.#title, title);
    setText(this.#state, text(status));
    setText(this.#message, message ?? "");
    this.#place(this.#bar, status === "running" && percent !== null && percent !== undefined);
    this.#place(this.#message, Boolean(message));
    this.#bar.value = percent ?? 0;
    this.#bar.setAttribute("aria-label", title);
  }

  #place(part, isShown) {
    if (isShown && !part.parentNode) this.element.append(part);
    else if (!isShown) part.remove();
  }
}
