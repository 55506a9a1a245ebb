// The pending approvals of the tenant: live with the gateway's session, else read again at intervals.

const REFRESH_MS = 200;
const POLL_MS = 15_000;

/** As RunsStore, with the state {approvals, error}. Needs a session or an API key; tokens have no inbox. */
export class InboxStore {
  #signalbox;
  #listeners = new Set();
  #watch = null;
  #timer = 0;
  #begun = 0;
  #applied = 0;
  state = { approvals: [], isLoaded: false, error: null };

  constructor(signalbox) { this.#signalbox = signalbox; }

  subscribe(listener) {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#open();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#timer);
      this.#watch?.close();
      this.#watch = null;
    };
  }

  async refresh() {
    clearTimeout(this.#timer);
    const read = this.#begun += 1;
    let change;
    try {
      change = { approvals: await this.#signalbox.approvals(), isLoaded: true, error: null };
    } catch (error) {
      change = { error };
    }
    // A late response must not replace that of a later read.
    if (read > this.#applied) {
      this.#applied = read;
      this.#set(change);
    }
    if ((!this.#watch || change.error) && this.#listeners.size > 0) this.#refreshIn(POLL_MS);
  }

  #open() {
    try {
      this.#watch = this.#signalbox.watchAll({
        runs: () => this.#refreshIn(REFRESH_MS),
        event: ({ type }) => { if (/\.(approval|run)\./.test(type)) this.#refreshIn(REFRESH_MS); },
        state: (state) => { if (state === "closed") this.#onRefused(); },
      }, { from: "latest" });
    } catch {
      this.#watch = null; // an API key: no stream of all runs
    }
    this.refresh();
  }

  /** The stream was refused for good: from now on the inbox is read at intervals. */
  #onRefused() {
    if (this.#listeners.size === 0) return;
    this.#watch = null;
    this.#refreshIn(POLL_MS);
  }

  #refreshIn(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), delay);
  }

  #set(change) {
    this.state = { ...this.state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }
}
