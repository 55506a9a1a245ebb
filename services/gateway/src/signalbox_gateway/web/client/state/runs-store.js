// The current state of some runs, for views: read again after each event, progress applied as it arrives.

const REFRESH_MS = 100;
const RETRY_MS = [1000, 2000, 5000, 10_000];
const EMPTY = { runs: {}, connection: "connecting", denied: [], error: null };

/** Runs as an external store: `subscribe(listener)` watches while there are listeners, `state` is immutable. */
export class RunsStore {
  #signalbox;
  #runIds;
  #listeners = new Set();
  #watch = null;
  #timers = new Map();
  #failures = new Map();   // how often the last read of a run has failed
  state = EMPTY;

  constructor(signalbox, runIds) {
    this.#signalbox = signalbox;
    this.#runIds = [...new Set(runIds)];
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener) {
    this.#listeners.add(listener);
    if (!this.#watch && this.#runIds.length > 0) this.#open();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#close();
    };
  }

  /** Reads a run again, for example after a decision. A read that fails is repeated unless it was refused. */
  async refresh(runId) {
    try {
      const run = await this.#signalbox.run(runId);
      this.#failures.delete(runId);
      this.#setRun(run);
    } catch (error) {
      this.#set({ error });
      if (this.#watch && isTemporary(error)) this.#retryLater(runId);
    }
  }

  /** No event need follow, for example after the end of the run. */
  #retryLater(runId) {
    const failures = this.#failures.get(runId) ?? 0;
    this.#failures.set(runId, failures + 1);
    this.#refreshIn(runId, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  }

  /** After an event. While reads fail, each event would cause one: they are a second apart then. */
  #refreshSoon(runId) { this.#refreshIn(runId, this.#failures.has(runId) ? RETRY_MS[0] : REFRESH_MS); }

  #open() {
    this.#watch = this.#signalbox.watch(this.#runIds, {
      snapshot: (run) => this.#setRun(run),
      event: ({ runid }) => this.#refreshSoon(runid),
      progress: (event) => this.#progress(event),
      end: (runId) => this.#refreshSoon(runId),
      denied: (runId) => this.#set({ denied: [...this.state.denied, runId] }),
      state: (connection) => this.#set(connection === "live" ? { connection, error: null } : { connection }),
      error: (error) => this.#set({ error }),
    });
  }

  #close() {
    this.#watch?.close();
    this.#watch = null;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#failures.clear();
    this.state = { ...EMPTY, runs: this.state.runs };
  }

  /** Events that arrive together cause one request, also when a later retry is planned. */
  #refreshIn(runId, delay) {
    const due = performance.now() + delay;
    const planned = this.#timers.get(runId);
    if (planned?.due <= due) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(runId);
      this.refresh(runId);
    }, delay);
    this.#timers.set(runId, { due, timer });
  }

  #setRun(run) {
    const error = this.#failures.size > 0 ? this.state.error : null;
    const known = this.state.runs[run.run_id];
    const isOlder = known && known.epoch === run.epoch && known.sequence > run.sequence;
    this.#set(isOlder ? { error } : { error, runs: { ...this.state.runs, [run.run_id]: run } });
  }

  #progress({ runid, stepid, data }) {
    const run = this.state.runs[runid];
    const name = stepid ?? data.step;
    if (!run?.steps.some((step) => step.name === name && step.status === "running")) return;
    const { percent = null, message = null } = data;
    const steps = run.steps.map((step) => (step.name === name ? { ...step, percent, message } : step));
    this.#set({ runs: { ...this.state.runs, [runid]: { ...run, steps } } });
  }

  #set(change) {
    if (!this.#watch && !change.runs) return;
    this.state = { ...this.state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }
}

const isTemporary = ({ status }) => !(status >= 400 && status < 500) || status === 429;

/** The questions of runs that wait for an answer, oldest first. */
export function openApprovals(runs) {
  return Object.values(runs)
    .flatMap((run) => run.approvals.filter((approval) => approval.status === "pending"))
    .sort((one, other) => (one.requested_at < other.requested_at ? -1 : 1));
}

/** Decides an approval of a store's state, with the digest of what was shown, and reads the state again. */
export async function sendDecision(signalbox, store, approval, answer, options = {}) {
  const { run_id: runId, approval_id: approvalId, digest } = approval;
  const decided = await signalbox.decide(runId, approvalId, answer, { digest, ...options });
  await store.refresh(runId);
  return decided;
}
