// The tenant's stream, reduced to what the list of runs needs: which runs started, which ended, when to reload.
import { shortName } from "../fold.js";
import { LiveSource } from "../live-source.js";

const ENDINGS = new Set(["run.completed", "run.failed", "run.cancelled", "run.terminated", "run.timed_out"]);
const OPEN_STATES = { "run.paused": "paused", "run.resumed": "running" };
const CHANGES = new Set(["approval.requested", "approval.decided", "approval.expired", "approval.withdrawn"]);

/**
 * on.started(run), on.reported(runId, {status, ended_at}), on.changed() and on.state(state).
 *
 * Only a visible page is connected, because browsers allow few connections to one origin; `changed()` is called
 * when it becomes visible again.
 */
export class RunFeed {
  #source = null;
  #open = new Set();

  constructor(on) {
    this.on = on;
    this.onVisibility = () => this.#onVisibility();
    document.addEventListener("visibilitychange", this.onVisibility);
    this.#connect();
  }

  close() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.#source?.close();
  }

  #onVisibility() {
    this.#source?.close();
    if (document.hidden) return;
    this.on.changed();
    this.#connect();
  }

  #connect() {
    this.#source = new LiveSource(() => "/v1/stream?all=1", {
      state: (state) => this.on.state(state),
      message: (frame) => this.#onEvent(JSON.parse(frame.data)),
      named: {
        runs: (frame) => this.#onRuns(JSON.parse(frame.data)),
        snapshot: (frame) => this.#onSnapshot(JSON.parse(frame.data)),
        end: () => this.on.changed(),
      },
    });
  }

  /** The open runs at the time of the connection: what happened before it is in the server's list. */
  #onRuns({ runs }) {
    this.#open = new Set(runs);
    this.on.changed();
  }

  #onSnapshot(run) {
    this.on.reported(run.run_id, { status: run.status, ended_at: run.ended_at ?? null });
    if (this.#open.has(run.run_id)) return;
    this.#open.add(run.run_id);
    this.on.started(run);
  }

  #onEvent(event) {
    const name = shortName(event.type);
    if (ENDINGS.has(name)) {
      this.#open.delete(event.runid);
      this.on.reported(event.runid, { status: name.slice(4), ended_at: event.time });
    } else if (OPEN_STATES[name]) {
      this.on.reported(event.runid, { status: OPEN_STATES[name], ended_at: null });
    } else if (name === "run.started" && !this.#open.has(event.runid)) {
      this.#open.add(event.runid);
      const { pipeline, started_by } = event.data;
      const run = { run_id: event.runid, status: "running", started_at: event.time };
      this.on.started({ ...run, pipeline, started_by });
    } else if (CHANGES.has(name)) this.on.changed();
  }
}
