// Signalbox for browsers: start runs, watch them live, decide, cancel. One ES module without dependencies.
// Types: signalbox.d.ts.

// A module that the gateway serves has the gateway's address, with the path prefix of a reverse proxy.
const SERVED_BY = /^(https?:.*)\/client\/signalbox\.js$/.exec(import.meta.url.split(/[?#]/)[0])?.[1] ?? "";
const RETRY_MS = [1000, 2000, 5000, 10_000];
// The gateway sends a ping when a stream has been idle for 12 s: without any data for this long, two are missing.
const SILENCE_MS = 30_000;
const id = encodeURIComponent;

/** An error response of the gateway. `status` is 0 when there was no response. */
export class SignalboxError extends Error {
  constructor({ status = 0, code = "unreachable", detail = "", errors = [] } = {}) {
    super(detail || "The gateway does not respond. Check your connection and try again.");
    Object.assign(this, { name: "SignalboxError", status, code, errors });
  }
}

export class Signalbox {
  #origin;
  #apiKey;
  #ticket;

  constructor({ origin = SERVED_BY, apiKey, ticket } = {}) {
    this.#origin = origin.replace(/\/$/, "");
    this.#apiKey = apiKey;
    // EventSource cannot send headers, so an API key is exchanged for tickets; a session cookie is sent automatically.
    this.#ticket = ticket ?? (apiKey ? async (runs) => (await this.#call("POST", "/v1/stream-tickets", { runs })).ticket : null);
  }

  start(pipeline, input, { runId, priority, idempotencyKey = crypto.randomUUID() } = {}) {
    return this.#call("POST", "/v1/runs", { pipeline, input, run_id: runId, priority }, { "Idempotency-Key": idempotencyKey });
  }

  run(runId) { return this.#call("GET", `/v1/runs/${id(runId)}`); }

  result(runId) { return this.#call("GET", `/v1/runs/${id(runId)}/result`); }

  approvals() { return this.#call("GET", "/v1/approvals").then((inbox) => inbox.approvals); }

  approval(runId, approvalId) { return this.#call("GET", `/v1/runs/${id(runId)}/approvals/${id(approvalId)}`); }

  decide(runId, approvalId, answer, { decisionId = crypto.randomUUID(), digest, note } = {}) {
    const body = { answer, decision_id: decisionId, digest, note };
    return this.#call("POST", `/v1/runs/${id(runId)}/approvals/${id(approvalId)}/decision`, body);
  }

  cancel(runId, reason) { return this.#call("POST", `/v1/runs/${id(runId)}/cancel`, { reason }); }

  /** Follows one run or several on one connection until all have ended, or until `close()`. */
  watch(runs, handlers, { history = false } = {}) {
    const watch = new Watch([runs].flat(), handlers, {
      ticket: this.#ticket, probe: (address) => this.#probe(address), origin: this.#origin, history,
    });
    watch.open();
    return watch;
  }

  async #call(method, path, body, headers = {}) {
    const auth = this.#apiKey ? { Authorization: `Bearer ${this.#apiKey}` } : {};
    const json = body === undefined ? {} : { "Content-Type": "application/json" };
    const response = await request(this.#origin + path, {
      method, headers: { Accept: "application/json", ...auth, ...json, ...headers },
      credentials: this.#apiKey ? "omit" : "include", body: body === undefined ? undefined : JSON.stringify(body),
    });
    return response.json().catch(() => ({}));
  }

  /** The status of a stream, which EventSource does not expose: 200, or 204 when all events were received. */
  async #probe(address) {
    const response = await request(address, { credentials: this.#ticket ? "omit" : "include" });
    await response.body?.cancel();
    return response.status;
  }
}

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new SignalboxError();
  }
  if (response.ok) return response;
  throw new SignalboxError({ code: String(response.status), ...await response.json().catch(() => ({})), status: response.status });
}

class Watch {
  #runs;
  #on;
  #options;
  #ended = new Set();
  #lastId = "";
  #source = null;
  #timer = 0;
  #silence = 0;
  #failures = 0;
  #state = "";

  constructor(runs, handlers, options) {
    this.#runs = runs;
    this.#on = handlers;
    this.#options = options;
  }

  close() {
    this.#stop();
    this.#setState("closed");
  }

  async open() {
    if (this.#state !== "waiting") this.#setState("connecting");
    let address;
    try {
      address = await this.#address();
    } catch (error) {
      this.#onRefused(error);
      return;
    }
    if (this.#state === "closed") return;
    const source = new EventSource(address, { withCredentials: !this.#options.ticket });
    this.#source = source;
    source.onopen = () => { this.#failures = 0; this.#expectData(); this.#setState("live"); };
    source.onmessage = (frame) => { this.#expectData(); this.#onFrame(frame); };
    source.addEventListener("ping", () => this.#expectData());
    for (const name of ["snapshot", "reset", "end", "denied"]) {
      source.addEventListener(name, (frame) => { this.#expectData(); this.#onNamed(name, frame); });
    }
    source.onerror = () => this.#onError(source);
    this.#expectData();
  }

  #stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#source?.close();
  }

  /** (Re)starts the timer that replaces a connection which stays open without delivering anything. */
  #expectData() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#onSilence(), SILENCE_MS);
  }

  #onSilence() {
    this.#source?.close();
    this.#setState("waiting", "silent");
    this.open();
  }

  async #address() {
    const one = this.#runs.length === 1;
    const query = new URLSearchParams(one ? [] : this.#runs.map((run) => ["run", run]));
    if (this.#options.ticket) query.set("ticket", await this.#options.ticket(this.#runs));
    if (this.#options.history) query.set("history", "1");
    // A new EventSource does not send the last event id of the previous one.
    if (this.#lastId) query.set("last_event_id", this.#lastId);
    return `${this.#options.origin}${one ? `/v1/runs/${id(this.#runs[0])}/stream` : "/v1/stream"}?${query}`;
  }

  #onFrame(frame) {
    const event = JSON.parse(frame.data);
    if (frame.lastEventId) this.#lastId = frame.lastEventId;
    this.#on[event.sequence === undefined ? "progress" : "event"]?.(event);
  }

  #onNamed(name, frame) {
    const data = JSON.parse(frame.data);
    if (frame.lastEventId) this.#lastId = frame.lastEventId;
    this.#on[name]?.(name === "snapshot" ? data : data.runid);
    if (name === "end" || name === "denied") this.#finish(data.runid);
  }

  #finish(runId) {
    this.#ended.add(runId);
    if (this.#ended.size < this.#runs.length) return;
    this.#stop();
    this.#setState("ended");
  }

  #onError(source) {
    if (source !== this.#source || this.#state === "closed" || this.#state === "ended") return;
    clearTimeout(this.#silence);
    this.#setState("waiting", "lost");
    // The browser reconnects on its own unless it has given up, for example after a 4xx or with an expired ticket.
    if (source.readyState === EventSource.CLOSED) this.#retryLater();
  }

  #retryLater() {
    this.#timer = setTimeout(() => this.#retry(), RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]);
  }

  async #retry() {
    try {
      const status = await this.#options.probe(await this.#address());
      if (this.#state === "closed") return;
      if (status === 204) this.#finishAll();
      else await this.open();
    } catch (error) {
      this.#onRefused(error);
    }
  }

  /** The connection was lost between the last event and `end`. */
  #finishAll() {
    for (const run of this.#runs.filter((one) => !this.#ended.has(one))) {
      this.#on.end?.(run);
      this.#finish(run);
    }
  }

  #onRefused(error) {
    if (this.#state === "closed") return;
    const isFinal = error.status >= 400 && error.status < 500 && error.status !== 429;
    this.#setState(isFinal ? "closed" : "waiting", "lost");
    this.#on.error?.(error);
    if (!isFinal) this.#retryLater();
  }

  #setState(state, reason) {
    if (this.#state === state || this.#state === "closed" || this.#state === "ended") return;
    this.#state = state;
    if (state === "waiting") this.#on.state?.(state, reason);
    else this.#on.state?.(state);
  }
}
