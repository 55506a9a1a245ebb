// The steps of a run, updated in place so that the animation of a running bar continues.
import { div, h, replace, setText, span } from "../dom.js";
import { elapsed } from "../format.js";
import { running } from "../ticker.js";
import { lamp, statusWord } from "./lamp.js";

export class StepList {
  #rows = new Map();

  constructor() {
    this.element = h("ol", { class: "line", "aria-label": "Steps" });
  }

  update(snapshot) {
    const pendingSteps = new Set(snapshot.approvals.filter((item) => item.status === "pending").map((item) => item.step));
    for (const [index, step] of snapshot.steps.entries()) this.#row(step.name, index).update(step, pendingSteps.has(step.name), snapshot.status);
  }

  #row(name, index) {
    if (!this.#rows.has(name)) {
      const row = new StepRow(index + 1);
      this.#rows.set(name, row);
      this.element.append(row.element);
    }
    return this.#rows.get(name);
  }
}

class StepRow {
  constructor(number) {
    this.light = span("line-lamp");
    this.title = span("line-title");
    this.time = span("line-time");
    this.word = span("visually-hidden");
    this.fill = span("meter-fill");
    this.meter = h("div", { class: "meter", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.percent = span("line-percent");
    this.message = h("p", { class: "line-message" });
    this.output = h("pre", { class: "line-output", tabindex: "0", role: "region", "aria-label": "Output so far" });
    this.bar = div("line-bar", this.meter, this.percent);
    this.element = h("li", { class: "line-step" }, this.light,
      div("line-head", h("span", { class: "plate", "aria-hidden": "true" }, number), this.title, this.word, this.time),
      this.bar, this.message, this.output);
  }

  update(step, isPending, runStatus) {
    const status = isPending ? "attention" : step.status === "running" && runStatus === "paused" ? "paused" : step.status;
    if (this.element.dataset.status !== status) {
      this.element.dataset.status = status;
      replace(this.light, lamp(status));
      setText(this.word, `, ${statusWord(status)}`);
    }
    setText(this.title, step.title);
    this.#time(step);
    this.#progress(step, isPending);
    const tries = step.attempt > 1 ? `attempt ${step.attempt}` : "";
    setText(this.message, [isPending ? "Waiting for a decision" : step.message, tries].filter(Boolean).join(" · "));
    this.message.hidden = !this.message.textContent;
    this.#output(step);
  }

  /** Streamed text; scrolls along unless the user has scrolled up. */
  #output(step) {
    this.output.hidden = !step.text;
    const atEnd = this.output.scrollTop + this.output.clientHeight >= this.output.scrollHeight - 8;
    setText(this.output, step.text ? `${step.text_offset ? "… " : ""}${step.text}` : "");
    if (atEnd) this.output.scrollTop = this.output.scrollHeight;
  }

  #time(step) {
    if (step.status === "running" && step.started_at) {
      this.time.dataset.since = step.started_at;
      setText(this.time, running(step.started_at));
      return;
    }
    delete this.time.dataset.since;
    setText(this.time, step.started_at && step.ended_at ? elapsed(step.started_at, step.ended_at) : "");
  }

  #progress(step, isPending) {
    this.bar.hidden = step.status !== "running" || isPending;
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
