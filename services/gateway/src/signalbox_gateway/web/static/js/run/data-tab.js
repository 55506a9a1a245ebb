// What a run was started with and what came of it, as JSON.
import { api } from "../data/api.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";

const MAX_SHOWN = 200_000;   // more makes the page slow

export class DataTab {
  #isLoaded = false;
  #isShown = false;
  #isLeftOut = false;   // the run has completed, and its event has no result
  #status = null;

  constructor(runId) {
    this.runId = runId;
    this.input = div("");
    this.result = div("");
    this.element = h("div", { class: "in-result run-main" }, this.input, this.result);
  }

  /** Reads the input once, when the tab is shown for the first time; and a result that its event left out. */
  async load() {
    this.#isShown = true;
    this.#readLargeResult();
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
    this.#isLeftOut = status === "completed" && result === null;
    const reason = endedAt ? "This run has no result." : "The result appears here when the run has completed.";
    replace(this.result, panel("Result", status === "completed" ? result : null, this.#isLeftOut ? "Reading the result…" : reason));
    if (this.#isShown) this.#readLargeResult();
  }

  /** An event carries no large result; the gateway reads it from Temporal. */
  async #readLargeResult() {
    if (!this.#isLeftOut) return;
    this.#isLeftOut = false;
    try {
      replace(this.result, panel("Result", await api.result(this.runId), "This run has no result."));
    } catch (problem) {
      this.#isLeftOut = true;
      replace(this.result, panel("Result", null, problem.message));
    }
  }
}

/** A value with a button that copies it, or the reason why there is none. */
function panel(title, value, reason) {
  const id = `${title.toLowerCase()}-data-title`;
  const head = h("h2", { id }, title);
  if (value === null) return h("section", { class: "panel", "aria-labelledby": id }, head, h("p", { class: "nothing" }, reason));
  const text = JSON.stringify(value, null, 2);
  const isLong = text.length > MAX_SHOWN;
  const copy = h("button", { type: "button", class: "button", onclick: () => copyText(text, "Copy as JSON") }, icon("copy"), "Copy as JSON");
  return h("section", { class: "panel", "aria-labelledby": id }, div("panel-title", head, copy),
    isLong ? h("p", { class: "hint" }, `The first ${MAX_SHOWN.toLocaleString()} of ${text.length.toLocaleString()} characters. The button copies all.`) : null,
    h("pre", { class: "payload", tabindex: "0", role: "region", "aria-label": `${title} as JSON` }, isLong ? text.slice(0, MAX_SHOWN) : text));
}
