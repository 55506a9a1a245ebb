// The tenant's stream, reduced to what the list of runs needs: which runs started, which ended, when to reload.
import { emptySnapshot, fold, shortName } from "./fold.js";
import { gateway, linkState } from "./stream.js";

const ENDINGS = new Set(["run.completed", "run.failed", "run.cancelled", "run.terminated", "run.timed_out"]);
const OPEN_STATES = { "run.paused": "paused", "run.resumed": "running" };
const CONDITIONS = new Set(["run.blocked", "run.queued", "run.unblocked"]);
const CHANGES = new Set(["approval.requested", "approval.decided", "approval.vetoed", "approval.expired", "approval.withdrawn"]);

/**
 * on.started(run), on.reported(runId, {status, ended_at}), on.progress(snapshot), on.state(state), on.presence(question)
 * when the viewers of a question have changed (optional), and on.changed()
 * when the list must be read again: it has changed, or events may have been missed.
 */
export class RunFeed {
  #watch;
  #open = new Set();
  #snapshots = new Map();   // of the open runs

  constructor(on) {
    this.on = on;
    this.#watch = gateway.watchAll({
      state: (state, reason) => this.on.state(linkState(state, reason)),
      runs: (open) => this.#onRuns(open),
      presence: (question) => this.on.presence?.(question),
      reset: () => this.on.changed(),
      snapshot: (run) => this.#onSnapshot(run),
      event: (event) => this.#onEvent(event),
      progress: (event) => this.#fold(event, shortName(event.type)),
      end: () => this.on.changed(),
    });
  }

  close() { this.#watch.close(); }

  /** The runs that were open before: what happened until now is in the server's list. */
  #onRuns({ runs }) {
    for (const run of runs) this.#open.add(run);
    this.on.changed();
  }

  #onSnapshot(run) {
    this.#keep({ ...emptySnapshot(run.run_id), ...run });
    this.on.reported(run.run_id, stateOf(run));
    if (this.#open.has(run.run_id)) return;
    this.#open.add(run.run_id);
    this.on.started(run);
  }

  #keep(snapshot) {
    this.#snapshots.set(snapshot.run_id, snapshot);
    this.on.progress(snapshot);
  }

  #fold(event, name) {
    if (name === "run.started" && !this.#snapshots.has(event.runid)) this.#snapshots.set(event.runid, emptySnapshot(event.runid));
    const before = this.#snapshots.get(event.runid);
    const after = before && fold(before, event);
    if (after !== before) this.#keep(after);
    if (ENDINGS.has(name)) this.#snapshots.delete(event.runid);
  }

  #onEvent(event) {
    const name = shortName(event.type);
    this.#fold(event, name);
    if (ENDINGS.has(name)) {
      this.#open.delete(event.runid);
      this.on.reported(event.runid, { status: name.slice(4), ended_at: event.time });
    } else if (OPEN_STATES[name]) {
      this.on.reported(event.runid, { status: OPEN_STATES[name], ended_at: null });
    } else if (name === "run.started" && !this.#open.has(event.runid)) {
      this.#open.add(event.runid);
      const { pipeline, started_by, subject, tags } = event.data;
      const run = { run_id: event.runid, status: "running", started_at: event.time };
      this.on.started({ ...run, pipeline, started_by, subject, tags });
    } else if (CONDITIONS.has(name)) {
      const { blocked, queued } = fold(emptySnapshot(event.runid), event);
      this.on.reported(event.runid, { blocked, queued });
    } else if (CHANGES.has(name)) this.on.changed();
  }
}

const stateOf = ({ status, ended_at: endedAt = null, retried_at: retriedAt = null, blocked = null, queued = null }) =>
  ({ status, ended_at: endedAt, retried_at: retriedAt, blocked, queued });
