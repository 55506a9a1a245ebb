// The connections of the tab that leads: which runs they follow, for which tabs, and from where.

import { EventConnection } from "./event-connection.js";

/** Stands for all runs of the tenant, in place of a run id. */
export const ALL = "*";
// More runs need another connection (docs/streams.md).
const MAX_RUNS = 50;
const ENDED = new Set(["completed", "failed", "cancelled", "terminated", "timed_out"]);

/** Follows the runs that tabs need, over as few connections as possible, and announces what they deliver. */
export class RunStreams {
  #transport;
  #announce;
  #connections = [];

  /** announce(message): sends one of the leader's messages (leader-election.js) to every tab. */
  constructor(transport, announce) {
    this.#transport = transport;
    this.#announce = announce;
  }

  /**
   * Follows runs for a tab.
   *
   * needs: [run, cursor, history]. The cursor is null when the tab needs a snapshot; with history, every event
   * must follow it.
   */
  add(tab, needs) {
    for (const [run, cursor, history] of needs) this.#connectionFor(run).add(tab, run, cursor, history);
    for (const connection of this.#connections) connection.announceState();
  }

  #connectionFor(run) {
    this.#connections = this.#connections.filter((one) => !one.isClosed);
    const open = this.#connections;
    const found = open.find((one) => one.has(run)) ?? open.find((one) => one.hasRoom);
    if (found) return found;
    const connection = new RunStream(this.#transport, this.#announce);
    this.#connections.push(connection);
    return connection;
  }

  drop(tab, run) {
    for (const connection of this.#connections) connection.drop(tab, run);
  }

  /** Drops every run of a tab that was closed. */
  forget(tab) { this.drop(tab, null); }

  close() {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }
}

/** One connection and the runs that it follows. */
class RunStream {
  #runs = new Map();
  #transport;
  #announce;
  #connection;
  #request = null;
  #state = ["connecting"];
  #joined = [];
  #openRuns = null;
  isClosed = false;

  constructor(transport, announce) {
    this.#transport = transport;
    this.#announce = announce;
    this.#connection = new EventConnection(transport, {
      request: () => this.#nextRequest(),
      frame: (name, frame, request) => this.#onFrame(name, frame, request),
      state: (...state) => this.#setState(state),
      ended: (request) => this.#onEnded(request),
      refused: (error, request, kept) => this.#onRefused(error, request, kept),
      error: (error, request) => this.#announce({ error: [fieldsOf(error), request.followed, false] }),
    });
  }

  get hasRoom() { return this.#runs.size < MAX_RUNS; }

  has(run) { return this.#runs.has(run); }

  add(tab, run, cursor, history) {
    const entry = this.#runs.get(run);
    if (!entry) {
      this.#runs.set(run, { from: cursor, history, isPending: true, tabs: new Set([tab]) });
      this.#connection.renew();
      return;
    }
    if (run === ALL && !cursor) this.#sendOpenRuns();
    const merged = run === ALL ? entry.from ?? cursor : earlier(entry.from, cursor);
    // A tab that has a position must not miss the events that another tab's snapshot covers.
    entry.history ||= history || entry.from !== null || !entry.isPending;
    entry.tabs.add(tab);
    if (merged === entry.from && (merged !== null || entry.isPending || run === ALL)) {
      this.#joined.push(run);
      return;
    }
    entry.from = merged;
    entry.isPending = true;
    this.#connection.renew();
  }

  /** Announces the state of the runs that need no new connection for the tab that was added. */
  announceState() {
    const joined = this.#joined.splice(0);
    // While it connects, the state follows.
    if (joined.length === 0 || this.#state[0] === "connecting") return;
    this.#announce({ state: [joined, ...this.#state] });
  }

  drop(tab, run) {
    let isChanged = false;
    for (const [name, { tabs }] of this.#runs) {
      if ((run !== null && name !== run) || !tabs.delete(tab) || tabs.size > 0) continue;
      this.#runs.delete(name);
      isChanged = true;
    }
    if (this.#runs.size === 0) this.close();
    else if (isChanged) this.#connection.renew();
  }

  close() {
    this.isClosed = true;
    this.#connection.close();
    this.#openRuns?.close();
  }

  /** Announces the open runs for a tab that came later, over a connection that is then closed. */
  async #sendOpenRuns() {
    const address = await this.#transport.address({ runs: [], isAll: true });
    const source = new EventSource(address, this.#transport);
    this.#openRuns?.close();
    this.#openRuns = source;
    if (this.isClosed) source.close();
    let missing = 0;
    const deliver = (name) => (frame) => {
      const body = JSON.parse(frame.data);
      missing += name === "runs" ? body.runs.length : -1;
      this.#announce({ frame: [name, body, null, null] });
      if (missing <= 0) source.close();
    };
    source.addEventListener("runs", deliver("runs"));
    source.addEventListener("snapshot", deliver("open"));
    // A run without a stream has no snapshot: the stream is idle before all have come.
    source.addEventListener("ping", () => source.close());
    source.onerror = () => source.close();
  }

  #nextRequest() {
    const followed = [...this.#runs.keys()];
    const runs = followed.filter((run) => run !== ALL);
    const entries = runs.map((run) => this.#runs.get(run));
    const cursors = new Map(runs.map((run) => [run, this.#runs.get(run).from]));
    for (const entry of this.#runs.values()) entry.isPending = false;
    this.#request = {
      followed, runs, cursors, isAll: this.#runs.has(ALL),
      history: entries.some((entry) => !entry.from && entry.history), lastEventId: this.#lastEventId(entries),
    };
    return this.#request;
  }

  #lastEventId(entries) {
    const cursors = entries.map((entry) => entry.from ?? "-");
    const tenant = this.#runs.get(ALL)?.from;
    if (tenant) cursors.push(tenant);
    return cursors.every((cursor) => cursor === "-") ? "" : cursors.join(",");
  }

  #onFrame(name, frame, request) {
    if (name === "ping") {
      this.#announce({ alive: true });
      return;
    }
    const body = JSON.parse(frame.data);
    const run = body.run_id ?? body.runid;
    const cursors = frame.lastEventId ? frame.lastEventId.split(",") : [];
    const tenant = request.isAll ? cursors[request.runs.length] ?? null : null;
    const cursor = name === "snapshot"
      ? snapshotCursor(body, request)
      : cursors[request.runs.indexOf(run)] ?? request.cursors.get(run);
    if (name !== "presence") this.#advance(run, name === "reset" ? null : cursor, tenant, request);
    this.#announce({ frame: [name, body, cursor ?? null, tenant] });
    if (name === "end" || name === "denied") this.#finish(run, request);
  }

  /** Only the newest connection moves the positions: it began at the earliest that a tab needs. */
  #advance(run, cursor, tenant, request) {
    if (request !== this.#request) return;
    const entry = this.#runs.get(run);
    if (entry && !entry.isPending && cursor !== undefined) entry.from = cursor === "-" ? null : cursor;
    const all = this.#runs.get(ALL);
    if (all && tenant) all.from = tenant;
  }

  #finish(run, request) {
    if (request === this.#request && this.#runs.get(run)?.isPending === false) this.#runs.delete(run);
    if (this.#runs.size === 0) this.close();
  }

  /** The connection was lost between the last event and `end`. */
  #onEnded(request) {
    for (const [run, cursor] of request.cursors) {
      // A run without a cursor has something left to send, unless it is denied.
      this.#announce({ frame: [cursor ? "end" : "denied", { runid: run }, cursor, null] });
      this.#finish(run, request);
    }
    if (!this.isClosed) this.#connection.renew();
  }

  #onRefused(error, request, kept) {
    const refused = request.followed.filter((run) => !kept?.followed.includes(run));
    for (const run of refused) this.#runs.delete(run);
    this.#request = kept;
    this.#announce({ error: [fieldsOf(error), refused, true] });
    if (this.#runs.size === 0) this.close();
    else if (!kept) this.#connection.renew();
  }

  #setState(state) {
    this.#state = state;
    this.#announce({ state: [[...this.#runs.keys()], ...state] });
  }
}

/** The lower of two cursors; null, which begins with a snapshot, when they cannot be compared. */
export function earlier(one, other) {
  if (!one || !other) return null;
  const [epoch, sequence] = one.split(":");
  const [otherEpoch, otherSequence] = other.split(":");
  if (epoch !== otherEpoch) return null;
  return Number(otherSequence) < Number(sequence) ? other : one;
}

/** Whether the events before a snapshot follow it, as far as the gateway still has them. */
export const hasHistory = (run, isRequested) => isRequested || ENDED.has(run.status);

function snapshotCursor(run, request) {
  const isFresh = request.cursors.get(run.run_id) === null;
  const sequence = isFresh && hasHistory(run, request.history) ? 0 : run.sequence;
  return run.epoch ? `${run.epoch}:${sequence}` : null;
}

const fieldsOf = ({ status, code, message, errors }) => ({ status, code, detail: message, errors });
