// The list of runs without its page: the server's answer, corrected by what the stream has reported since.
// The server's search index lags behind by about a second, so an end that the stream reported outranks it.
import { hasEnded } from "../data/fold.js";
import { isNarrowed, matches, serverFilter, stillMatches } from "./query.js";

const PAGE = 50;
// What the server sends at most, for the pages that follow.
const LATER_PAGE = 200;
// Pages that are searched at once; the next ones on demand.
const MAX_SEARCHED = 10;
// Pages that are read again when the list is reloaded. What is below them is kept current by the stream alone.
const MAX_RELOADED = 4;
// More than the server's index can lag behind.
const MAX_REPORTED = 5000;

export class RunListing {
  #runs = [];
  #pages = 1;
  #cursor = null;
  #reported = new Map();
  #started = new Map();
  #seen = new Set();
  #found = null;   // the matching runs, until something changes

  /**
   * query: what runs/query.js made of the search text.
   * read(query): one page of the server's list, {runs, next_cursor}.
   */
  constructor(query, read) {
    Object.assign(this, { query, read });
  }

  get hasMore() { return Boolean(this.#cursor); }

  /** Reads the first page; more of them while a query that the server cannot apply leaves too few rows. */
  async load() {
    await this.reload();
    this.showNew();
    while (this.hasMore && isNarrowed(this.query) && this.#pages < MAX_SEARCHED && this.#matching().length < PAGE) {
      await this.loadMore();
    }
  }

  /** How many runs the server has listed so far, whether they match or not. */
  get readCount() { return this.#runs.length; }

  /** Reads the newest pages of those that are shown. Runs that were not listed before are only counted until `showNew()`. */
  async reload() {
    const runs = [];
    let cursor = null;
    for (let page = 0; page < Math.min(this.#pages, MAX_RELOADED) && (page === 0 || cursor); page += 1) {
      const answer = await this.#page(cursor, PAGE);
      runs.push(...answer.runs);
      cursor = answer.next_cursor ?? null;
    }
    const below = this.#pages > MAX_RELOADED && cursor ? this.#below(runs) : [];
    if (!below.length) {
      this.#pages = Math.min(this.#pages, MAX_RELOADED);
      this.#cursor = cursor;
    }
    this.#runs = [...runs, ...below];
    this.#found = null;
    for (const run of runs) this.#started.delete(run.run_id);
  }

  /** The runs that were read before and are listed below these; none when these have too little in common with them. */
  #below(runs) {
    const ids = new Set(runs.map((run) => run.run_id));
    const last = this.#runs.findLastIndex((run) => ids.has(run.run_id));
    return last < 0 ? [] : this.#runs.slice(last + 1);
  }

  async loadMore() {
    const from = this.#cursor;
    const { runs, next_cursor: cursor = null } = await this.#page(from, LATER_PAGE);
    if (this.#cursor !== from) return;   // the list was reloaded in the meantime
    this.#runs.push(...runs);
    for (const run of runs) this.#seen.add(run.run_id);
    this.#pages += LATER_PAGE / PAGE;
    this.#cursor = cursor;
    this.#found = null;
  }

  started(run) {
    this.#started.set(run.run_id, run);
    this.#found = null;
  }

  report(runId, state) {
    const known = this.#reported.get(runId);
    this.#reported.delete(runId);
    this.#reported.set(runId, { ...known, ...state });
    this.#found = null;
    if (this.#reported.size > MAX_REPORTED) this.#reported.delete(this.#reported.keys().next().value);
    if (hasEnded(state) && !matches(this.query, { ...this.#started.get(runId), ...state })) this.#started.delete(runId);
  }

  showNew() { for (const run of this.#matching()) this.#seen.add(run.run_id); }

  newCount() { return this.#matching().filter((run) => !this.#seen.has(run.run_id)).length; }

  /** The runs to show, newest first. An empty list shows new runs at once. */
  shown() {
    const runs = this.#matching();
    const shown = runs.filter((run) => this.#seen.has(run.run_id));
    if (shown.length > 0 || runs.length === 0) return shown;
    this.showNew();
    return runs;
  }

  /** An end is final, whether the list or the stream reported it, until the run is retried in a new execution. */
  #latest(run) {
    const state = this.#reported.get(run.run_id);
    if (!state) return run;
    if (isAfter(run.started_at, state.ended_at)) return run;
    const isNewer = hasEnded(state) || !hasEnded(run) || isAfter(state.retried_at, run.ended_at);
    return isNewer ? { ...run, ...state } : run;
  }

  #belongs(run) { return (this.#started.has(run.run_id) ? matches : stillMatches)(this.query, run); }

  #page(cursor, limit) {
    return this.read({ limit: String(limit), ...serverFilter(this.query), ...(cursor ? { cursor } : {}) });
  }

  #matching() {
    this.#found ??= this.#match();
    return this.#found;
  }

  #match() {
    const runs = [...this.#started.values(), ...this.#runs];
    const listed = new Map();
    // A run is reported by the stream and listed by the server; the newest execution counts.
    for (const run of runs) if (!isOlder(run, listed.get(run.run_id))) listed.set(run.run_id, run);
    return [...listed.values()].map((run) => this.#latest(run)).filter((run) => this.#belongs(run)).sort(byStart);
  }
}

const isAfter = (one, other) => Boolean(one && other) && Date.parse(one) > Date.parse(other);
const isOlder = (run, known) => Boolean(known) && isAfter(known.started_at, run.started_at);

const compare = (one, other) => (one < other ? -1 : Number(one > other));
// Not by the rules of a language, which take a second for 100,000 runs.
const byStart = (one, other) => compare(other.started_at ?? "", one.started_at ?? "") || compare(one.run_id, other.run_id);
