// The oldest pending approvals of the tenant and how many there are, read every 15 s and whenever a page asks.
import { api } from "./api.js";

const EVERY_MS = 15_000;
// Of 200 questions each.
const MAX_PAGES = 5;

export class InboxWatch {
  #timer = 0;
  #known = null;
  #isKnownWhole = false;
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
    const { approvals, total } = await pages(isWhole ? MAX_PAGES : 1);
    // A late response must not replace that of a later read: a decided question would come back.
    if (read < this.#applied) return this.approvals;
    this.#applied = read;
    const ids = new Set(approvals.map(keyOf));
    const known = isWhole === this.#isKnownWhole ? this.#known : null;
    this.#known = ids;
    this.#isKnownWhole = isWhole;
    const isSame = total === this.total && JSON.stringify(approvals) === JSON.stringify(this.approvals);
    this.approvals = approvals;
    this.total = total;
    if (!isSame) for (const listener of this.#listeners) listener(approvals, total);
    const fresh = known ? approvals.filter((item) => !known.has(keyOf(item))) : [];
    if (fresh.length) this.arrived(fresh);
    return approvals;
  }
}

async function pages(most) {
  const { approvals, total, next_cursor: next = null } = await api.approvals();
  const found = [...approvals];
  let cursor = next;
  for (let read = 1; cursor && read < most; read += 1) {
    const page = await api.approvals({}, cursor);
    found.push(...page.approvals);
    cursor = page.next_cursor;
  }
  return { approvals: found, total };
}

export const keyOf = ({ run_id: run, approval_id: approval }) => `${run}/${approval}`;
