// What a run was started with and what came of it, as JSON.
import { api } from "../data/api.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";

export class DataTab {
  #isLoaded = false;
  #status = null;

  constructor(runId) {
    this.runId = runId;
    this.input = div("");
    this.result = div("");
    this.element = h("div", { class: "in-result run-main" }, this.input, this.result);
  }

  /** Reads the input once, when the tab is shown for the first time. */
  async load() {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    try {
      replace(this.input, panel("Input", (await api.input(this.runId)).input));
    } catch (problem) {
      this.#isLoaded = false;
      replace(this.input, panel("Input", null, problem.message));
    }
  }

  update({ status, result, ended_at: endedAt }) {
    if (this.#status === status) return;
    this.#status = status;
    const reason = endedAt ? "This run has no result." : "The result appears here when the run has completed.";
    replace(this.result, panel("Result", status === "completed" ? result : null, reason));
  }
}

/** A value with a button that copies it, or the reason why there is none. */
function panel(title, value, reason) {
  const id = `${title.toLowerCase()}-data-title`;
  const head = h("h2", { id }, title);
  if (value === null) return h("section", { class: "panel", "aria-labelledby": id }, head, h("p", { class: "nothing" }, reason));
  const text = JSON.stringify(value, null, 2);
  const copy = h("button", { type: "button", class: "button", onclick: () => copyText(text, "Copy as JSON") }, icon("copy"), "Copy as JSON");
  return h("section", { class: "panel", "aria-labelledby": id }, div("panel-title", head, copy),
    h("pre", { class: "payload", tabindex: "0", role: "region", "aria-label": `${title} as JSON` }, text));
}
