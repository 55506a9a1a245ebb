// Notices that a run which has ended continues: a retry gives it a new execution and a new stream, of which the ended
// stream says nothing.
import { api } from "./api.js";
import { hasEnded } from "./fold.js";

const EVERY_MS = 10_000;

export class Continuation {
  #timer = 0;
  #retriedAt;   // as of the first read after the end
  #isReading = false;

  /** continued(): called once, when the run goes on or has gone on and ended again. */
  constructor(runId, continued, { everyMs = EVERY_MS } = {}) {
    Object.assign(this, { runId, continued, everyMs });
  }

  /** Begins to look once the run has ended. */
  update(snapshot) {
    if (hasEnded(snapshot)) this.#timer ||= setInterval(() => this.#look(), this.everyMs);
    else this.close();
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
      const retriedAt = run.retried_at ?? null;
      this.#retriedAt ??= { at: retriedAt };
      if (!this.#timer || (hasEnded(run) && retriedAt === this.#retriedAt.at)) return;
      this.close();
      this.continued();
    } catch { /* the next look follows */ } finally { this.#isReading = false; }
  }
}
