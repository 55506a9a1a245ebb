// Presence: shows others who has a question open. A hint for people; it locks nothing. Loaded when it is needed.

// The gateway forgets a report after 40 s.
const EVERY_MS = 15_000;

/** Reports that this person has a question open, as long as its page is visible, until `close()`. */
export class Presence {
  #signalbox;
  #path;
  #changed;
  #state = "viewing";
  #timer = 0;
  #isClosed = false;
  #onVisibility = () => this.#report();

  /** changed(questions): who has which question of the tenant open, after every report. */
  constructor(signalbox, runId, approvalId, changed = () => {}) {
    this.#signalbox = signalbox;
    this.#path = `/v1/runs/${encodeURIComponent(runId)}/approvals/${encodeURIComponent(approvalId)}/presence`;
    this.#changed = changed;
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#report();
  }

  /** Something has been entered that is not sent yet. */
  deciding() {
    if (this.#state === "deciding" || this.#isClosed) return;
    this.#state = "deciding";
    this.#report();
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#report();
  }

  async #report() {
    clearTimeout(this.#timer);
    const isPresent = !this.#isClosed && !document.hidden;
    if (isPresent) this.#timer = setTimeout(() => this.#report(), EVERY_MS);
    try {
      const { questions } = await this.#signalbox.post(this.#path, { state: isPresent ? this.#state : "left" });
      this.#changed(questions);
    } catch { /* the next report follows, or the last one expires */ }
  }
}
