// An EventSource that is replaced without a gap, notices silence, and reconnects where the browser gives up.

const RETRY_MS = [1000, 2000, 5000, 10_000];
// The gateway sends a ping when a stream has been idle for 12 s: without data for this long, two are missing.
const SILENCE_MS = 30_000;
const NAMES = ["runs", "presence", "snapshot", "reset", "end", "denied", "ping"];

/**
 * on.request()                      what to ask for, at each new connection
 * on.frame(name, frame, request)    `name` is "event" for an event without a name
 * on.state(state, reason)           "connecting", "live", "waiting"
 * on.ended(request)                 nothing is left to send
 * on.refused(error, request, kept)  a request was permanently refused; `kept` is the request of the connection
 *                                   that still delivers, or null
 * on.error(error, request)          a request failed and is retried
 * transport.address(request)        the URL of a request, as a promise
 * transport.probe(address)          its status, which EventSource does not expose
 * transport.withCredentials         as in the options of EventSource
 */
export class EventConnection {
  #transport;
  #on;
  #current = null;
  #previous = null;
  #isOpening = false;
  #isStale = false;
  #isClosed = false;
  #failures = 0;
  #timer = 0;
  #silence = 0;

  constructor(transport, on) {
    this.#transport = transport;
    this.#on = on;
  }

  /** Replaces the connection by one for a new request. The old one delivers until the new one is open. */
  renew() {
    if (this.#isOpening) this.#isStale = true;
    else this.#open();
  }

  close() {
    this.#isClosed = true;
    this.#stop();
  }

  #stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#current?.source.close();
    this.#previous?.source.close();
    this.#current = null;
    this.#previous = null;
  }

  async #open() {
    clearTimeout(this.#timer);
    this.#isOpening = true;
    // Runs that are added in the same task share the request.
    await null;
    this.#isStale = false;
    const request = this.#on.request();
    let address;
    try {
      address = await this.#transport.address(request);
    } catch (error) {
      this.#onRefused(error, request);
      return;
    }
    if (this.#isClosed) return;
    const opened = { source: new EventSource(address, this.#transport), request };
    this.#previous?.source.close();
    const isDelivering = this.#current?.source.readyState === EventSource.OPEN;
    if (!isDelivering) this.#current?.source.close();
    this.#previous = isDelivering ? this.#current : null;
    this.#current = opened;
    this.#listen(opened);
    this.#expectData();
  }

  #listen(opened) {
    const { source, request } = opened;
    const deliver = (name) => (frame) => {
      this.#expectData();
      this.#on.frame(name, frame, request);
    };
    source.onopen = () => this.#onOpen(opened);
    source.onmessage = deliver("event");
    for (const name of NAMES) source.addEventListener(name, deliver(name));
    source.onerror = () => this.#onError(opened);
  }

  #onOpen(opened) {
    if (opened !== this.#current) return;
    this.#previous?.source.close();
    this.#previous = null;
    this.#failures = 0;
    this.#isOpening = false;
    this.#expectData();
    this.#on.state("live");
    if (this.#isStale) this.#open();
  }

  #onError(opened) {
    if (this.#isClosed) return;
    if (opened === this.#previous) {
      opened.source.close();
      this.#previous = null;
      if (this.#current.source.readyState !== EventSource.OPEN) this.#on.state("waiting", "lost");
    } else if (opened === this.#current) {
      if (!this.#previous) {
        clearTimeout(this.#silence);
        this.#on.state("waiting", "lost");
      }
      // The browser reconnects on its own unless it has given up, as it does after a 4xx.
      if (opened.source.readyState === EventSource.CLOSED) this.#retryLater();
    }
  }

  /** (Re)starts the timer that replaces a connection which stays open without delivering anything. */
  #expectData() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#stop();
      this.#on.state("waiting", "silent");
      this.#open();
    }, SILENCE_MS);
  }

  #retryLater() {
    const delay = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] * (0.5 + Math.random() / 2);
    this.#failures += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(), delay);
  }

  async #retry() {
    const request = this.#on.request();
    try {
      const status = await this.#transport.probe(await this.#transport.address(request));
      if (this.#isClosed) return;
      if (status === 204) this.#on.ended(request);
      else await this.#open();
    } catch (error) {
      this.#onRefused(error, request);
    }
  }

  #onRefused(error, request) {
    if (this.#isClosed) return;
    const isFinal = error.status >= 400 && error.status < 500 && error.status !== 429;
    this.#isOpening = false;
    if (!isFinal) {
      this.#on.state("waiting", "lost");
      this.#on.error(error, request);
      this.#retryLater();
      return;
    }
    const { request: open, source } = this.#current ?? {};
    const kept = open !== request && source?.readyState === EventSource.OPEN ? this.#current : this.#previous;
    if (this.#current !== kept) source?.close();
    this.#current = kept;
    this.#previous = null;
    this.#on.refused(error, request, kept?.request ?? null);
  }
}
