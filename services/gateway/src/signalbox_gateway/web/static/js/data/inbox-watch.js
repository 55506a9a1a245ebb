// The oldest pending approvals of the tenant and how many there are, read every 15 s and whenever a page asks.
import { api } from "./api.js";

const EVERY_MS = 15_000;

export class InboxWatch {
  #timer = 0;
  #known = null;
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
    const { approvals, total } = await api.approvals();
    const ids = new Set(approvals.map(keyOf));
    const known = this.#known;
    this.#known = ids;
    const isSame = total === this.total && JSON.stringify(approvals) === JSON.stringify(this.approvals);
    this.approvals = approvals;
    this.total = total;
    if (!isSame) for (const listener of this.#listeners) listener(approvals, total);
    const fresh = known ? approvals.filter((item) => !known.has(keyOf(item))) : [];
    if (fresh.length) this.arrived(fresh);
    return approvals;
  }
}

export const keyOf = ({ run_id: run, approval_id: approval }) => `${run}/${approval}`;
