// One run's live stream. EventSource reconnects and resumes by itself; this adds what it gives up on, and says how things stand.

import { api, streamPath } from "./api.js";
import { emptySnapshot, fold, hasEnded } from "./fold.js";

const RETRY_MS = [1000, 2000, 5000, 10_000];

/**
 * Follows a run until `close()`.
 *
 * on.change(snapshot, frame | null)  after every fold; frame is null when the snapshot came whole
 * on.state("connecting" | "live" | "waiting" | "ended")
 */
export class RunWatch {
  #source = null;
  #timer = 0;
  #failures = 0;
  #closed = false;

  constructor(runId, on, { openSource = (url) => new EventSource(url) } = {}) {
    this.runId = runId;
    this.on = on;
    this.openSource = openSource;
    this.snapshot = emptySnapshot(runId);
  }

  open() {
    this.on.state("connecting");
    const source = this.openSource(streamPath(this.runId));
    this.#source = source;
    source.onopen = () => { this.#failures = 0; this.on.state("live"); };
    source.onmessage = (message) => this.#take(JSON.parse(message.data));
    source.addEventListener("snapshot", (message) => this.#adopt(JSON.parse(message.data)));
    source.addEventListener("reset", () => { this.snapshot = emptySnapshot(this.runId); });
    source.addEventListener("end", () => this.#finish());
    source.onerror = () => this.#failed(source);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  /** Reads the snapshot from the API: what a decision did shows even while the stream is away. */
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

  #finish() {
    this.#source?.close();
    this.on.state("ended");
  }

  #failed(source) {
    if (this.#closed) return;
    if (hasEnded(this.snapshot)) { this.#finish(); return; }
    this.on.state("waiting");
    if (source.readyState !== EventSource.CLOSED) return;   // it is already reconnecting with its last event id
    this.#timer = setTimeout(() => this.#again(), RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]);
  }

  /** Closed for good by the browser (a 4xx, 204 or 503): look whether the run is over before asking again. */
  async #again() {
    try {
      await this.refresh();
      if (hasEnded(this.snapshot)) { this.#finish(); return; }
    } catch (problem) {
      if ([401, 403, 404].includes(problem.status)) { this.on.state("ended"); return; }
    }
    if (!this.#closed) this.open();
  }
}

/** The API's view as the snapshot that `fold` goes on with: an approval's last decision is part of the approval. */
function fromView(runId, view) {
  const approvals = (view.approvals ?? []).map(({ decisions = [], ...approval }) => {
    const last = decisions.at(-1) ?? {};
    return { decision_id: null, decided_by: null, decided_at: null, answer: null, note: null, ...approval, ...last };
  });
  return { ...emptySnapshot(runId), ...view, approvals };
}
