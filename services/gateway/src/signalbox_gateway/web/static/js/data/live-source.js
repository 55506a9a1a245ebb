// An EventSource that measures whether it is live: it reconnects after an error, and when nothing has arrived
// for 30 s.

const RETRY_MS = 3000;
// The gateway sends a ping when a stream has been idle for 12 s: without data for this long, two are missing.
const SILENCE_MS = 30_000;

/**
 * Follows a stream until `close()`.
 *
 * address()                 the URL for each new connection
 * on.message(frame)         an unnamed event
 * on.state("live" | "waiting" | "silent")
 * on.named                  {name: (frame) => …} for named events
 */
export class LiveSource {
  #source = null;
  #timer = 0;
  #silence = 0;
  #state = "";
  #closed = false;

  constructor(address, on, { openSource = (url) => new EventSource(url) } = {}) {
    Object.assign(this, { address, on, openSource });
    this.#open();
  }

  close() {
    this.#closed = true;
    this.#disconnect();
  }

  #disconnect() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#source?.close();
  }

  #open() {
    const source = this.openSource(this.address());
    this.#source = source;
    source.onopen = () => { this.#expectData(); this.#setState("live"); };
    source.onmessage = (frame) => { this.#expectData(); this.on.message(frame); };
    for (const [name, handle] of Object.entries({ ping: () => {}, ...this.on.named })) {
      source.addEventListener(name, (frame) => { this.#expectData(); handle(frame); });
    }
    source.onerror = () => this.#onError(source);
    this.#expectData();
  }

  #onError(source) {
    if (this.#closed || source !== this.#source) return;
    clearTimeout(this.#silence);
    this.#setState("waiting");
    // The browser reconnects automatically unless it has given up, for example after a 4xx.
    if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#open(), RETRY_MS);
  }

  #expectData() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#disconnect();
      this.#setState("silent");
      this.#open();
    }, SILENCE_MS);
  }

  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.on.state(state);
  }
}
