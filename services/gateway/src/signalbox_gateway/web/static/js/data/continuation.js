// Notices that a run which has ended continues: a retry gives it a new execution and a new stream, of which the ended
// stream says nothing.
import { api } from "./api.js";
import { hasEnded } from "./fold.js";

const EVERY_MS = 10_000;

export class Continuation {
  #timer = 0;
  #retriedAt = 0;   // of the end that is shown
  #isReading = false;

  /** continued(): called once, when the run goes on or has gone on and ended again. */
  constructor(runId, continued, { everyMs = EVERY_MS } = {}) {
    Object.assign(this, { runId, continued, everyMs });
  }

  /** Begins to look once the run has ended. */
  update(snapshot) {
    if (!hasEnded(snapshot)) this.close();
    else if (!this.#timer) {
      this.#retriedAt = retriedAt(snapshot);
      this.#timer = setInterval(() => this.#look(), this.everyMs);
    }
  }

  close() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  async #look() {
    if (document.hidden || this.#isReading) return;
    this.#isReading = true;
    try {
      const run = await api.run(this.runId);
      if (!this.#timer || (hasEnded(run) && retriedAt(run) <= this.#retriedAt)) return;
      this.close();
      this.continued();
    } catch { /* the next look follows */ } finally { this.#isReading = false; }
  }
}

const retriedAt = ({ retried_at: text }) => (text ? Date.parse(text) : 0);
