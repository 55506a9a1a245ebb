// Pause, resume, cancel.
import { api } from "../api.js";
import { toast } from "../announce.js";
import { confirm } from "../dialog.js";
import { h, replace } from "../dom.js";
import { hasEnded } from "../fold.js";
import { humane } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";

const REQUESTED = {
  pause: "Pause requested: no further step starts.", resume: "Resume requested.",
  cancel: "Cancellation requested: the run cleans up and ends.",
};

export class RunControls {
  constructor(runId, { done }) {
    Object.assign(this, { runId, done });
    this.toggle = h("button", { type: "button", class: "button", onclick: () => this.#do(this.paused ? "resume" : "pause") });
    const cancel = { type: "button", class: "button danger-quiet", onclick: () => this.#cancel() };
    this.cancel = h("button", cancel, icon("cancel"), "Cancel run");
    this.element = h("div", { class: "run-controls", hidden: true }, this.toggle, this.cancel);
  }

  update(snapshot) {
    this.element.hidden = hasEnded(snapshot) || !may("operator");
    this.name = snapshot.title || humane(snapshot.pipeline);
    const paused = snapshot.status === "paused";
    if (this.paused === paused) return;
    this.paused = paused;
    replace(this.toggle, icon(paused ? "play" : "pause"), paused ? "Resume" : "Pause");
  }

  async #cancel() {
    const answer = await confirm({
      title: `Cancel run ${this.runId}?`,
      text: `${this.name}: the current step is stopped and cleaned up. Finished files are kept. A cancelled run cannot be resumed.`,
      action: "Cancel the run", danger: true, reasonLabel: "Reason (visible to others)",
    });
    if (answer) await this.#do("cancel", answer.reason ? { reason: answer.reason } : {});
  }

  async #do(verb, body = {}) {
    this.toggle.disabled = this.cancel.disabled = true;
    try {
      await api.control(this.runId, verb, body);
      toast(REQUESTED[verb]);
      this.done();
    } catch (problem) {
      toast(problem.message, { kind: "error" });
    } finally {
      this.toggle.disabled = this.cancel.disabled = false;
    }
  }
}
