// The tenant's stream, reduced to what the list of runs needs: which runs started, which ended, when to reload.
import { shortName } from "../fold.js";
import { gateway, linkState } from "../stream.js";

const ENDINGS = new Set(["run.completed", "run.failed", "run.cancelled", "run.terminated", "run.timed_out"]);
const OPEN_STATES = { "run.paused": "paused", "run.resumed": "running" };
const CHANGES = new Set(["approval.requested", "approval.decided", "approval.expired"]);

/**
 * on.started(run), on.reported(runId, {status, ended_at}), on.state(state), and on.changed() when the list must be
 * read again: it has changed, or events may have been missed.
 */
export class RunFeed {
  #watch;

  constructor(on) {
    this.on = on;
    this.#watch = gateway.watchAll({
      state: (state, reason) => this.#onState(linkState(state, reason)),
      runs: () => this.on.changed(),
      reset: () => this.on.changed(),
      snapshot: (run) => this.on.reported(run.run_id, { status: run.status, ended_at: run.ended_at ?? null }),
      event: (event) => this.#onEvent(event),
      end: () => this.on.changed(),
    });
  }

  close() { this.#watch.close(); }

  #onState(state) {
    this.on.state(state);
    if (state === "live") this.on.changed();
  }

  #onEvent(event) {
    const name = shortName(event.type);
    if (ENDINGS.has(name)) {
      this.on.reported(event.runid, { status: name.slice(4), ended_at: event.time });
    } else if (OPEN_STATES[name]) {
      this.on.reported(event.runid, { status: OPEN_STATES[name], ended_at: null });
    } else if (name === "run.started") {
      const { pipeline, started_by } = event.data;
      const run = { run_id: event.runid, status: "running", started_at: event.time };
      this.on.started({ ...run, pipeline, started_by });
    } else if (CHANGES.has(name)) this.on.changed();
  }
}
