// One run's live stream, over the public JavaScript client, folded into a snapshot.

import { Signalbox } from "../../../client/signalbox.js";
import { api, BASE } from "./api.js";
import { emptySnapshot, fold } from "./fold.js";

export const gateway = new Signalbox({ origin: BASE });

/**
 * Follows a run until `close()`.
 *
 * on.event(frame)            each state event once, from the run's first, before `change`
 * on.change(snapshot, frame) after every change; frame is null when a complete snapshot arrived
 * on.state("connecting" | "live" | "waiting" | "silent" | "refused" | "ended")
 */
export class RunWatch {
  #watch = null;
  #closed = false;

  constructor(runId, on) {
    this.runId = runId;
    this.on = on;
    this.snapshot = emptySnapshot(runId);
  }

  open() {
    this.#watch = gateway.watch(this.runId, {
      state: (state, reason) => this.on.state(linkState(state, reason)),
      snapshot: (view) => this.#adopt(view),
      reset: () => { this.snapshot = emptySnapshot(this.runId); },
      event: (frame) => { this.on.event(frame); this.#take(frame); },
      progress: (frame) => this.#take(frame),
      // When the session has ended, a request to the API shows the sign-in page.
      error: (error) => { if (error.status === 401) this.refresh().catch(() => {}); },
    }, { history: true });
  }

  close() {
    this.#closed = true;
    this.#watch?.close();
  }

  /** Reads the snapshot from the API, so that a decision shows even while the stream is disconnected. */
  async refresh() {
    const view = await api.run(this.runId);
    if (!this.#closed && (view.sequence ?? 0) >= this.snapshot.sequence) this.#adopt(view);
  }

  #take(frame) {
    const next = fold(this.snapshot, frame);
    if (next === this.snapshot) return;
    this.snapshot = next;
    this.on.change(next, frame);
  }

  #adopt(view) {
    this.snapshot = fromView(this.runId, view);
    this.on.change(this.snapshot, null);
  }
}

/** The client's connection state as the page shows it. */
export function linkState(state, reason) {
  if (state === "waiting" && reason === "silent") return "silent";
  // Seen only when the gateway refuses the stream for good: nothing shows a page that closes its own.
  return state === "closed" ? "refused" : state;
}

/** Converts the API's view to a snapshot for `fold`: an approval's last decision is part of the approval. */
function fromView(runId, view) {
  const approvals = (view.approvals ?? []).map(({ decisions = [], ...approval }) => {
    const last = decisions.at(-1) ?? {};
    return { decision_id: null, decided_by: null, decided_at: null, answer: null, note: null, ...approval, ...last };
  });
  return { ...emptySnapshot(runId), ...view, approvals };
}
