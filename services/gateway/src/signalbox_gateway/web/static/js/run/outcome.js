// How a run ended, as people read it: the result, or the failure with what can be done about it.
import { div, h, replace } from "../ui/dom.js";
import { resultView } from "./result.js";

export class Outcome {
  #shown = null;

  constructor(runId) {
    this.runId = runId;
    this.result = h("section", { class: "panel", hidden: true, "aria-labelledby": "result-title" });
    this.failure = h("div", { class: "in-overview", hidden: true });
  }

  update(snapshot) {
    const { status, error, result } = snapshot;
    if (this.#shown === status) return;
    this.#shown = status;
    this.failure.hidden = !error;
    if (error) this.#fail(snapshot);
    const hasResult = status === "completed" && result !== null;
    this.result.hidden = !hasResult;
    if (hasResult) replace(this.result, h("h2", { id: "result-title" }, "Result"), resultView(this.runId, result));
  }

  #fail({ error, steps }) {
    const step = steps.find((item) => item.name === error.step);
    replace(this.failure, div("notice notice-error failure",
      h("h2", {}, step ? `${step.title} failed` : "The run failed"), h("p", {}, error.message),
      h("p", { class: "hint" }, h("code", {}, error.code), error.field ? ` at ${error.field}` : ""),
      h("p", { class: "actions" },
        h("a", { class: "button", href: `#/runs/${encodeURIComponent(this.runId)}/events` }, "Show the events"))));
  }
}
