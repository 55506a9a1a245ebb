// How a run ended: the result as people read it, the result as data, or the failure.
import { div, h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { copyText } from "./event-detail.js";
import { resultView } from "./result.js";

export class Outcome {
  #shown = null;

  constructor(runId) {
    this.runId = runId;
    this.result = h("section", { class: "panel", hidden: true, "aria-labelledby": "result-title" });
    this.failure = div("in-overview");
    this.failure.hidden = true;
    this.data = div("in-result");
    this.#showData(null, "The result appears here when the run has completed.");
  }

  update(snapshot) {
    const { status, error, result } = snapshot;
    if (this.#shown === status) return;
    this.#shown = status;
    if (error) this.#fail(snapshot);
    const hasResult = status === "completed" && result !== null;
    this.result.hidden = !hasResult;
    if (hasResult) replace(this.result, h("h2", { id: "result-title" }, "Result"), resultView(this.runId, result));
    if (status === "completed") this.#showData(result, "This run has no result.");
    else if (snapshot.ended_at) this.#showData(null, "This run ended without a result.");
  }

  #fail({ error, steps, pipeline }) {
    const step = steps.find((item) => item.name === error.step);
    this.failure.hidden = false;
    const address = (tab) => `#/runs/${encodeURIComponent(this.runId)}/${tab}`;
    replace(this.failure, div("notice notice-error failure",
      h("h2", {}, step ? `${step.title} failed` : "The run failed"), h("p", {}, error.message),
      h("p", { class: "hint" }, h("code", {}, error.code), error.field ? ` at ${error.field}` : ""),
      h("p", { class: "actions" },
        h("a", { class: "button", href: address("events") }, "Show the events"),
        pipeline ? h("a", { class: "button", href: `#/start/${encodeURIComponent(pipeline)}` }, "Start a new run") : null)));
  }

  #showData(result, otherwise) {
    if (result === null) { replace(this.data, h("p", { class: "nothing" }, otherwise)); return; }
    const text = JSON.stringify(result, null, 2);
    const copy = h("button", { type: "button", class: "button", onclick: () => copyText(text, "Copy as JSON") }, icon("copy"), "Copy as JSON");
    replace(this.data, h("section", { class: "panel", "aria-label": "Result as JSON" }, h("p", { class: "actions" }, copy),
      h("pre", { class: "payload", tabindex: "0", role: "region", "aria-label": "JSON" }, text)));
  }
}
