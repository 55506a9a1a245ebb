// Presence at one open question: reports that this person has it open, and shows who else has.
import { presenceList, presenceText, reportPresence } from "../data/presence.js";
import { h, setText } from "../ui/dom.js";

export class PanelPresence {
  #report = null;
  #stopListening;

  constructor(runId, approvalId) {
    Object.assign(this, { runId, approvalId });
    this.element = h("p", { class: "presence", "aria-live": "polite" });
    this.#stopListening = presenceList.listen(() => this.#draw());
    this.#draw();
  }

  /** Begins to report. isDeciding: there is a draft. */
  start(isDeciding) {
    this.#report ??= reportPresence(this.runId, this.approvalId);
    if (isDeciding) this.#report.deciding();
  }

  deciding() { this.#report?.deciding(); }

  /** Reports that the question is no longer open here. */
  stop() {
    this.#report?.close();
    this.#report = null;
  }

  close() {
    this.stop();
    this.#stopListening();
  }

  #draw() { setText(this.element, presenceText(presenceList.others(this.runId, this.approvalId))); }
}
