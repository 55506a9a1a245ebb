// Pause, resume, cancel.
import { api } from "../data/api.js";
import { toast } from "../ui/announce.js";
import { confirm } from "../ui/dialog.js";
import { h, replace } from "../ui/dom.js";
import { hasEnded } from "../data/fold.js";
import { humane } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { addressOfCopy } from "./outcome.js";
import { may } from "../data/session.js";

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
    this.again = h("a", { class: "button" }, "Run again");
    this.element = h("div", { class: "run-controls", hidden: true }, this.toggle, this.cancel, this.again);
  }

  update(snapshot) {
    this.element.hidden = !may("operator");
    this.isOver = hasEnded(snapshot);
    this.toggle.hidden = this.cancel.hidden = this.isOver;
    this.again.hidden = !this.isOver || !snapshot.pipeline;
    if (!this.again.hidden) this.again.setAttribute("href", addressOfCopy(snapshot.pipeline, this.runId));
    this.name = snapshot.title || humane(snapshot.pipeline);
    const paused = snapshot.status === "paused";
    if (this.paused === paused) return;
    this.paused = paused;
    replace(this.toggle, icon(paused ? "play" : "pause"), paused ? "Resume" : "Pause");
  }

  /** Opens the dialog of an address; false when there is no such dialog. */
  openDialog(name) {
    if (name !== "cancel" || this.element.hidden || this.isOver) return false;
    this.#cancel();
    return true;
  }

  /** What can be done with the run now, for the command palette. */
  actions() {
    if (this.element.hidden) return [];
    if (this.isOver) return [{ text: "Run again", icon: "play", run: () => this.again.click() }];
    const verb = this.paused ? "resume" : "pause";
    return [
      { text: this.paused ? "Resume run" : "Pause run", icon: this.paused ? "play" : "pause", run: () => this.#do(verb) },
      { text: "Cancel run", icon: "cancel", run: () => this.#cancel() },
    ];
  }

  async #cancel() {
    const answer = await confirm({
      name: "cancel", title: `Cancel run ${this.runId}?`,
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
