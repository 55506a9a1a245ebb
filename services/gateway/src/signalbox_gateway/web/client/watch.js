// What one caller of `watch` has received of each run: drops what it has, notices what it lacks.

import { ALL, hasHistory } from "./run-streams.js";


export class Watch {
  #channel;
  #runs;
  #on;
  #options;
  #positions = new Map();
  // The epoch of the stream of each run that has ended.
  #ended = new Map();
  #state = "";

  /** runs: run ids, or `[ALL]`. options: {history, from, resume}. */
  constructor(channel, runs, handlers, options) {
    this.#channel = channel;
    this.#runs = [...new Set(runs)];
    this.#on = handlers;
    this.#options = options;
    for (const [run, cursor] of Object.entries(this.#stored())) {
      const [epoch, sequence] = cursor.split(":");
      this.#positions.set(run, { epoch, sequence: +sequence, hasSnapshot: true });
    }
  }

  get isOver() { return this.#state === "closed" || this.#state === "ended"; }

  open() {
    this.#setState("connecting");
    this.#channel.open(this);
  }

  close() {
    if (this.isOver) return;
    this.#setState("closed");
    this.#channel.drop(this, this.#runs);
  }

  follows(run) { return this.#runs.includes(run) && !this.#ended.has(run); }

  /** What the leader must deliver: run, cursor or null, and whether the events before a snapshot too. */
  needs() { return this.#runs.filter((run) => this.follows(run)).map((run) => this.needOf(run)); }

  needOf(run) {
    const position = this.#positions.get(run);
    const cursor = position?.epoch ? `${position.epoch}:${position.sequence}` : null;
    return [run, cursor, this.#options.history];
  }

  onState(runs, state, reason) {
    if (runs.some((run) => this.follows(run))) this.#setState(state, reason);
  }

  onRefused(error, runs, isFinal) {
    if (!runs.some((run) => this.follows(run))) return;
    if (isFinal) this.close();
    this.#on.error?.(this.#options.toError(error));
  }

  onFrame(name, body, cursor) {
    const run = body.run_id ?? body.runid;
    // Only snapshots have an epoch: a run that was retried after its end has a new stream, which begins with one.
    if (this.#isAll && body.epoch && body.epoch !== this.#ended.get(run)) this.#ended.delete(run);
    if (this.isOver || this.#ended.has(run)) return;
    if (name === "runs" || name === "presence") {
      if (this.#isAll) this.#on[name]?.(body);
    } else if (this.#isAll || this.#runs.includes(run)) this.#accept(name, run, body, cursor);
  }

  get #isAll() { return this.#runs[0] === ALL; }

  #accept(name, run, body, cursor) {
    if (name === "snapshot" || (name === "open" && this.#isAll)) this.#onSnapshot(run, body);
    else if (name === "event") this.#onEvent(run, body, cursor);
    else if (name === "reset") this.#onReset(run);
    else if (name === "denied" && !this.#isAll) this.#finish("denied", run);
    else if (name === "end") this.#onEnd(run, cursor);
  }

  #onSnapshot(run, body) {
    let position = this.#positions.get(run);
    if (position?.epoch && body.epoch && position.epoch !== body.epoch) {
      this.#onReset(run);
      position = undefined;
    }
    if (position) position.epoch ||= body.epoch;
    if (position?.hasSnapshot) return;
    const isLatest = this.#options.from === "latest";
    const sendsHistory = !isLatest && (this.#isAll || hasHistory(body, this.#options.history));
    const sequence = sendsHistory ? 0 : body.sequence;
    const next = position ?? { epoch: body.epoch, sequence, isLoose: sendsHistory };
    if (position && !sendsHistory) next.sequence = Math.max(position.sequence, body.sequence);
    next.hasSnapshot = true;
    this.#positions.set(run, next);
    if (!isLatest) this.#on.snapshot?.(body);
  }

  #onEvent(run, body, cursor) {
    const position = this.#positions.get(run);
    if (body.sequence === undefined) {
      if (position || this.#isAll) this.#on.progress?.(body);
      return;
    }
    // The id of a tenant's stream has no cursors of single runs.
    const epoch = cursor?.split(":")[0] ?? position?.epoch;
    if (!position && body.sequence !== 1 && !this.#isAll) return;
    const known = position ?? { epoch, sequence: body.sequence - 1, hasSnapshot: false };
    known.epoch ||= epoch;
    if (known.epoch !== epoch || body.sequence <= known.sequence) return;
    if (!known.isLoose && body.sequence > known.sequence + 1) {
      this.#resync(run, known);
      return;
    }
    Object.assign(known, { sequence: body.sequence, isLoose: false, isResyncing: false });
    this.#positions.set(run, known);
    this.#store(run, cursor);
    this.#on.event?.(body);
  }

  #resync(run, position) {
    if (position.isResyncing) return;
    position.isResyncing = true;
    this.#channel.resync(this, run);
  }

  #onReset(run) {
    if (!this.#positions.delete(run)) return;
    this.#store(run, null);
    this.#on.reset?.(run);
  }

  #onEnd(run, cursor) {
    const position = this.#positions.get(run);
    if (!position) return;
    const [epoch, sequence] = cursor?.split(":") ?? [];
    const isBehind = epoch === position.epoch && sequence > position.sequence && !position.isLoose;
    if (isBehind || position.isResyncing) this.#resync(run, position);
    else this.#finish("end", run);
  }

  #finish(name, run) {
    this.#ended.set(run, this.#positions.get(run)?.epoch);
    this.#positions.delete(run);
    this.#on[name]?.(run);
    if (this.isOver) return;
    if (this.#isAll) {
      // Of a tenant's runs, the last ends are remembered.
      if (this.#ended.size > 1000) this.#ended.delete([...this.#ended.keys()][0]);
    } else {
      if (this.#ended.size === this.#runs.length) this.#setState("ended");
      this.#channel.drop(this, [run]);
    }
  }

  #setState(state, reason) {
    if (this.#state === state || this.isOver) return;
    this.#state = state;
    this.#on.state?.(state, reason);
  }

  /** The cursors that an earlier page of this tab has stored. */
  #stored() {
    if (!this.#options.resume) return {};
    try {
      return JSON.parse(sessionStorage.getItem(`signalbox ${this.#options.resume}`) ?? "{}");
    } catch {
      return {};
    }
  }

  #store(run, cursor) {
    if (!this.#options.resume) return;
    const cursors = this.#stored();
    if (cursor) cursors[run] = cursor;
    else delete cursors[run];
    try {
      sessionStorage.setItem(`signalbox ${this.#options.resume}`, JSON.stringify(cursors));
    } catch { /* storage is disabled or full: the next page begins with a snapshot */ }
  }
}
