// The live stream of one queue's scaling decisions. EventSource resumes after the last one; when it gives up, a new one
// is opened.

const RETRY_MS = 3000;

export class DecisionFeed {
  #source = null;
  #timer = 0;
  #closed = false;

  constructor(path, after, on, { openSource = (url) => new EventSource(url) } = {}) {
    Object.assign(this, { path, after, on, openSource });
    this.#open();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #open() {
    const source = this.openSource(`${this.path}&after=${encodeURIComponent(this.after)}`);
    this.#source = source;
    source.onopen = () => this.on.state(true);
    source.onmessage = (message) => {
      const decision = JSON.parse(message.data);
      this.after = decision.id;
      this.on.decision(decision);
    };
    source.onerror = () => {
      if (this.#closed) return;
      this.on.state(false);
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => { if (!this.#closed) this.#open(); }, RETRY_MS);
    };
  }
}
