// The steps of a run, updated in place so that the animation of a running bar continues. Long lists are folded.
import { arrange, div, h, replace, setText, span } from "../ui/dom.js";
import { elapsed, plural } from "../ui/format.js";
import { foldedRanges } from "./step-folding.js";
import { running } from "../ui/ticker.js";
import { statusDot, statusWord } from "../ui/status.js";
import { pendingWaits, waitText } from "./waits.js";

export class StepList {
  #rows = new Map();
  #opened = new Set();
  #snapshot = null;

  constructor() {
    this.element = h("ol", { class: "line", "aria-label": "Steps" });
  }

  update(snapshot) {
    this.#snapshot = snapshot;
    const pendingSteps = new Set(snapshot.approvals.filter((item) => item.status === "pending").map((item) => item.step));
    const waits = new Map(pendingWaits(snapshot).map((wait) => [wait.step, waitText(wait)]));
    const steps = snapshot.steps.map((step) => ({
      ...step, status: statusOf(step, pendingSteps.has(step.name)), message: waits.get(step.name) ?? step.message,
    }));
    const hidden = foldedRanges(steps, this.#opened);
    const wanted = [];
    for (let index = 0; index < steps.length; index += 1) {
      const range = hidden.get(index);
      if (range) {
        wanted.push(this.#fold(range, steps.slice(range.from, range.to)));
        index = range.to - 1;
      } else wanted.push(this.#step(steps[index], index));
    }
    arrange(this.element, wanted);
    const kept = new Set(wanted);
    for (const [key, row] of this.#rows) if (!kept.has(row.element)) this.#rows.delete(key);
  }

  #step(step, index) {
    const key = `step ${step.name}`;
    if (!this.#rows.has(key)) this.#rows.set(key, new StepRow(index + 1));
    this.#rows.get(key).update(step);
    return this.#rows.get(key).element;
  }

  #fold(range, steps) {
    const key = `fold ${range.from}`;
    if (!this.#rows.has(key)) this.#rows.set(key, new FoldRow());
    this.#rows.get(key).update(range, steps, () => this.#open(steps));
    return this.#rows.get(key).element;
  }

  #open(steps) {
    for (const step of steps) this.#opened.add(step.name);
    this.update(this.#snapshot);
    const first = this.#rows.get(`step ${steps[0].name}`)?.element;
    first?.setAttribute("tabindex", "-1");
    first?.focus();
  }
}

const statusOf = (step, isPending) => (isPending ? "attention" : step.status);

/** A range of steps that is not shown, with a button that shows it. */
class FoldRow {
  constructor() {
    this.button = h("button", { type: "button", class: "link", onclick: () => this.open() });
    this.element = h("li", { class: "line-step line-fold" }, span("line-dot"), div("line-head", this.button));
  }

  update({ from, to }, steps, open) {
    this.open = open;
    setText(this.button, `Show steps ${from + 1} to ${to}: ${plural(to - from, "step")}, ${statesOf(steps)}`);
  }
}

const FOLDED = {
  failed: "failed", attention: "waiting for a decision", running: "running", cancelled: "cancelled", completed: "completed",
};

/** "3 failed, 12 running" of folded steps; "waiting" when none of them has begun. */
function statesOf(steps) {
  const countOf = (status) => steps.filter((step) => step.status === status).length;
  const counts = Object.keys(FOLDED).map((status) => [FOLDED[status], countOf(status)]).filter(([, count]) => count > 0);
  return counts.map(([word, count]) => (count === steps.length ? word : `${count} ${word}`)).join(", ") || "waiting";
}

class StepRow {
  constructor(number) {
    this.light = span("line-dot");
    this.title = span("line-title");
    this.time = span("line-time");
    this.word = span("visually-hidden");
    this.fill = span("meter-fill");
    this.meter = h("div", { class: "meter", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.percent = span("line-percent");
    this.message = h("p", { class: "line-message" });
    this.bar = div("line-bar", this.meter, this.percent);
    this.element = h("li", { class: "line-step" }, this.light,
      div("line-head", h("span", { class: "plate", "aria-hidden": "true" }, number), this.title, this.word, this.time),
      this.bar, this.message);
  }

  update(step) {
    const { status } = step;
    if (this.element.dataset.status !== status) {
      this.element.dataset.status = status;
      replace(this.light, statusDot(status));
      setText(this.word, `, ${statusWord(status)}`);
    }
    setText(this.title, step.title);
    this.#time(step);
    this.#progress(step);
    const tries = step.attempt > 1 ? `attempt ${step.attempt}` : "";
    setText(this.message, [status === "attention" ? "Waiting for a decision" : step.message, tries].filter(Boolean).join(" · "));
    this.message.hidden = !this.message.textContent;
  }

  #time(step) {
    if (["running", "attention"].includes(step.status) && step.started_at) {
      this.time.dataset.since = step.started_at;
      setText(this.time, running(step.started_at));
      return;
    }
    delete this.time.dataset.since;
    setText(this.time, step.started_at && step.ended_at ? elapsed(step.started_at, step.ended_at) : "");
  }

  #progress(step) {
    this.bar.hidden = step.status !== "running";
    this.meter.setAttribute("aria-label", step.title);
    const known = typeof step.percent === "number";
    this.meter.classList.toggle("unknown", !known);
    if (known) {
      this.meter.setAttribute("aria-valuenow", String(Math.round(step.percent)));
      this.fill.style.setProperty("--part", `${Math.min(100, Math.max(0, step.percent))}%`);
    } else this.meter.removeAttribute("aria-valuenow");
    setText(this.percent, known ? `${Math.round(step.percent)} %` : "");
  }
}
