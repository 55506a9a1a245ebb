// The oldest pending approvals of the tenant, how many there are, and which are new, read every 15 s and whenever a page asks.
import { api } from "./api.js";

const EVERY_MS = 15_000;
// Of 200 questions each.
export const MAX_PAGES = 5;

export class InboxWatch {
  #timer = 0;
  #known = null;          // the questions of the last read; null until a read has reached the end
  #last = null;           // the cursor of the last page, which new questions are on
  #readers = new Set();   // of all pages
  #begun = 0;
  #applied = 0;
  #listeners = new Set();
  approvals = null;
  total = 0;

  /** changed(approvals, total) after every read that differs; arrived(approvals): those that were not there before. */
  constructor({ changed, arrived }) {
    this.arrived = arrived;
    this.listen(changed);
  }

  start() {
    this.stop();
    this.refresh();
    this.#timer = setInterval(() => this.refresh(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#known = null;
    this.#last = null;
    this.approvals = null;
  }

  /** Reads the later pages too, as the inbox needs them: the nearest deadline may be on any. Returns a function that ends it. */
  readWhole() {
    const reader = Symbol("reader");
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  /** Calls `listener(approvals, total)` after every change, and at once if they are known; returns a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    if (this.approvals) listener(this.approvals, this.total);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the inbox; without a response the last one stays. */
  async refresh() {
    try { await this.load(); } catch { /* the current page shows the error */ }
  }

  async load() {
    const read = this.#begun += 1;
    const isWhole = this.#readers.size > 0;
    const { approvals, total, next } = await pagesOf(pending, null, isWhole ? MAX_PAGES : 1);
    // The oldest come first, so new ones are on the last page: those in between need no second read.
    const from = this.#last ?? next;
    const later = next ? await this.#later(from) : { approvals: [], last: null, next: null };
    // A late response must not replace that of a later read: a decided question would come back.
    if (read < this.#applied) return this.approvals;
    this.#applied = read;
    this.#last = later.last;
    const fresh = this.#arrivals(approvals, later.approvals, { reachesEnd: !later.next, isGapless: !next || from === next });
    const isSame = total === this.total && JSON.stringify(approvals) === JSON.stringify(this.approvals);
    this.approvals = approvals;
    this.total = total;
    if (!isSame) for (const listener of this.#listeners) listener(approvals, total);
    if (fresh.length) this.arrived(fresh);
    return approvals;
  }

  /** After a failure the next read begins at the first page again, whatever became of this cursor. */
  async #later(from) {
    try {
      return await pagesOf(pending, from, MAX_PAGES);
    } catch (problem) {
      this.#last = null;
      throw problem;
    }
  }

  /** Those that were not there at the last read. After one with a gap, an older unknown one has only moved up from the gap. */
  #arrivals(first, later, { reachesEnd, isGapless }) {
    const known = this.#known;
    const read = new Map([...first, ...later].map((item) => [keyOf(item), item]));
    const last = new Set(later.map(keyOf));
    const isNew = ([key, item]) => !known.ids.has(key) && (known.isWhole || last.has(key) || Date.parse(item.requested_at) >= known.newest);
    const fresh = known ? [...read].filter(isNew).map(([, item]) => item) : [];
    const newest = Math.max(known?.newest ?? 0, ...[...read.values()].map((item) => Date.parse(item.requested_at)));
    const isWhole = reachesEnd && (isGapless || read.size < first.length + later.length);
    if (known || reachesEnd) this.#known = { ids: new Set(read.keys()), newest, isWhole };
    return fresh;
  }
}

const pending = (cursor) => api.approvals({ cursor });

/** Reads pages from a cursor on with `readPage(cursor)`: their questions, the cursor of the last one read, and that of the next one, if there is one. */
export async function pagesOf(readPage, from, most) {
  const found = { approvals: [], total: 0, last: from, next: from };
  for (let read = 0; read === 0 || (found.next && read < most); read += 1) {
    const page = await readPage(found.next);
    found.approvals.push(...page.approvals);
    Object.assign(found, { total: page.total, last: found.next, next: page.next_cursor ?? null });
  }
  return found;
}

export const keyOf = ({ run_id: run, approval_id: approval }) => `${run}/${approval}`;
