// What an operator can do with a run: pause, resume, cancel; after its end, continue it or start it again.
import { api, newKey } from "../data/api.js";
import { hasEnded } from "../data/fold.js";
import { may } from "../data/session.js";
import { toast } from "../ui/announce.js";
import { confirm } from "../ui/dialog.js";
import { h, replace, setText } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { icon } from "../ui/icons.js";

const REQUESTED = {
  pause: "Pause requested: no further step starts.", resume: "Resume requested.",
  cancel: "Cancellation requested: the run cleans up and ends.",
};
const CONTINUES = "The run continues. Completed steps keep their results.";
const CONTINUES_LATER = "Retry accepted. Until a worker is available, the run is shown with its previous outcome.";

export class RunControls {
  // A repeated click or a lost response does not retry twice.
  #key = newKey();
  #isClosed = false;

  /** done(): a request was accepted. retried(): the run continues after its end, in a new stream. */
  constructor(runId, { done, retried }) {
    Object.assign(this, { runId, done, retried });
    const button = (attributes, ...content) => h("button", { type: "button", class: "button", ...attributes }, content);
    this.toggle = button({ onclick: () => this.#do(this.paused ? "resume" : "pause") });
    this.cancel = button({ class: "button danger-quiet", onclick: () => this.#cancel() }, icon("cancel"), "Cancel run");
    this.retry = button({ class: "button primary", onclick: () => this.#retry() });
    this.again = button({ onclick: () => this.#startAgain() }, "Start again");
    this.changed = h("a", { class: "button" }, "Start again with changes");
    this.buttons = [this.toggle, this.cancel, this.retry, this.again];
    this.element = h("div", { class: "run-controls", hidden: true }, this.buttons, this.changed);
  }

  update(snapshot) {
    this.element.hidden = !may("operator");
    this.isOver = hasEnded(snapshot);
    this.cancel.hidden = this.isOver;
    this.toggle.hidden = this.isOver || snapshot.plain;
    this.again.hidden = this.changed.hidden = !this.isOver || !snapshot.pipeline || snapshot.plain;
    this.retry.hidden = !this.isOver || snapshot.status === "completed" || snapshot.plain;
    setText(this.retry, snapshot.status === "failed" ? "Retry from the failed step" : "Continue the run");
    this.changed.setAttribute("href", addressOfCopy(snapshot.pipeline, this.runId));
    this.name = snapshot.title || humane(snapshot.pipeline);
    const paused = snapshot.status === "paused";
    if (this.paused === paused) return;
    this.paused = paused;
    replace(this.toggle, icon(paused ? "play" : "pause"), paused ? "Resume" : "Pause");
  }

  /** The page was left: a late response no longer changes what is shown. */
  close() { this.#isClosed = true; }

  /** Opens the dialog of an address; false when there is no such dialog. */
  openDialog(name) {
    if (name !== "cancel" || this.element.hidden || this.isOver) return false;
    this.#cancel();
    return true;
  }

  /** What can be done with the run now, for the command palette. */
  actions() {
    if (this.element.hidden) return [];
    if (this.isOver) {
      return [this.retry, this.again, this.changed].filter((control) => !control.hidden)
        .map((control) => ({ text: control.textContent, icon: "play", run: () => control.click() }));
    }
    const verb = this.paused ? "resume" : "pause";
    return [
      ...this.toggle.hidden ? [] : [{ text: this.paused ? "Resume run" : "Pause run", icon: this.paused ? "play" : "pause", run: () => this.#do(verb) }],
      { text: "Cancel run", icon: "cancel", run: () => this.#cancel() },
    ];
  }

  async #cancel() {
    const answer = await confirm({
      name: "cancel", title: `Cancel run ${this.runId}?`,
      text: `${this.name}: the current step is stopped and cleaned up. Finished files are kept. A cancelled run can be continued later.`,
      action: "Cancel the run", danger: true, reasonLabel: "Reason (visible to others)",
    });
    if (answer) await this.#do("cancel", answer.reason ? { reason: answer.reason } : {});
  }

  async #do(verb, body = {}) {
    await this.#send(async () => {
      await api.control(this.runId, verb, body);
      toast(REQUESTED[verb]);
      this.done();
    });
  }

  async #retry() {
    await this.#send(async () => {
      await api.retry(this.runId, { from: "failed" }, this.#key);
      const isOver = hasEnded(await api.run(this.runId));
      if (this.#isClosed) return;
      await this.retried();
      toast(isOver ? CONTINUES_LATER : CONTINUES, { kind: isOver ? "info" : "good" });
    });
  }

  async #startAgain() {
    await this.#send(async () => {
      const { body } = await api.retry(this.runId, { from: "start" }, this.#key);
      if (!this.#isClosed) location.hash = `#/runs/${encodeURIComponent(body.run_id)}`;
    });
  }

  /** Runs an action with the buttons disabled; a refusal is shown. */
  async #send(action) {
    for (const button of this.buttons) button.disabled = true;
    try {
      await action();
    } catch (problem) {
      toast(problem.message, { kind: "error" });
    } finally {
      for (const button of this.buttons) button.disabled = false;
    }
  }
}

/** The start form with the values of a run. */
const addressOfCopy = (pipeline, runId) => `#/start/${encodeURIComponent(pipeline)}?from=${encodeURIComponent(runId)}`;
