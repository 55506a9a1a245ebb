// Signalbox for browsers: start runs, watch them live, decide, cancel. One ES module without dependencies; types in signalbox.d.ts.

const RETRY_MS = [1000, 2000, 5000, 10_000];
const id = encodeURIComponent;

/** What the gateway refused, and what to do about it. `status` is 0 when it did not answer at all. */
export class SignalboxError extends Error {
  constructor({ status = 0, code = "unreachable", detail = "", errors = [] } = {}) {
    super(detail || "The gateway does not answer; try again.");
    Object.assign(this, { name: "SignalboxError", status, code, errors });
  }
}

export class Signalbox {
  #origin;
  #apiKey;
  #ticket;

  constructor({ origin = "", apiKey, ticket } = {}) {
    this.#origin = origin.replace(/\/$/, "");
    this.#apiKey = apiKey;
    // EventSource can send no header, so a key is exchanged for tickets; a session cookie travels by itself.
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
    const response = await answer(this.#origin + path, {
      method, headers: { Accept: "application/json", ...auth, ...json, ...headers },
      credentials: this.#apiKey ? "omit" : "include", body: body === undefined ? undefined : JSON.stringify(body),
    });
    return response.json().catch(() => ({}));
  }

  /** What the gateway answers to a stream, which EventSource does not say: 200, or 204 when all of it was told. */
  async #probe(address) {
    const response = await answer(address, { credentials: this.#ticket ? "omit" : "include" });
    await response.body?.cancel();
    return response.status;
  }
}

async function answer(address, options) {
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
  #way;
  #ended = new Set();
  #lastId = "";
  #source = null;
  #timer = 0;
  #failures = 0;
  #state = "";

  constructor(runs, handlers, way) {
    this.#runs = runs;
    this.#on = handlers;
    this.#way = way;
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#say("closed");
  }

  async open() {
    this.#say("connecting");
    let address;
    try {
      address = await this.#address();
    } catch (error) {
      this.#refused(error);
      return;
    }
    if (this.#state === "closed") return;
    const source = new EventSource(address, { withCredentials: !this.#way.ticket });
    this.#source = source;
    source.onopen = () => { this.#failures = 0; this.#say("live"); };
    source.onmessage = (frame) => this.#take(frame);
    for (const name of ["snapshot", "reset", "end", "denied"]) source.addEventListener(name, (frame) => this.#named(name, frame));
    source.onerror = () => this.#failed(source);
  }

  async #address() {
    const one = this.#runs.length === 1;
    const query = new URLSearchParams(one ? [] : this.#runs.map((run) => ["run", run]));
    if (this.#way.ticket) query.set("ticket", await this.#way.ticket(this.#runs));
    if (this.#way.history) query.set("history", "1");
    // A fresh EventSource does not know where the last one was.
    if (this.#lastId) query.set("last_event_id", this.#lastId);
    return `${this.#way.origin}${one ? `/v1/runs/${id(this.#runs[0])}/stream` : "/v1/stream"}?${query}`;
  }

  #take(frame) {
    const event = JSON.parse(frame.data);
    if (frame.lastEventId) this.#lastId = frame.lastEventId;
    this.#on[event.sequence === undefined ? "progress" : "event"]?.(event);
  }

  #named(name, frame) {
    const data = JSON.parse(frame.data);
    if (frame.lastEventId) this.#lastId = frame.lastEventId;
    this.#on[name]?.(name === "snapshot" ? data : data.runid);
    if (name === "end" || name === "denied") this.#finish(data.runid);
  }

  #finish(runId) {
    this.#ended.add(runId);
    if (this.#ended.size < this.#runs.length) return;
    this.#source?.close();
    this.#say("ended");
  }

  #failed(source) {
    if (source !== this.#source || this.#state === "closed" || this.#state === "ended") return;
    this.#say("waiting");
    // Unless the browser has given up (a 4xx, or a ticket that ended), it is already reconnecting with its last event id.
    if (source.readyState === EventSource.CLOSED) this.#later();
  }

  #later() {
    this.#timer = setTimeout(() => this.#again(), RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]);
  }

  async #again() {
    try {
      const status = await this.#way.probe(await this.#address());
      if (this.#state === "closed") return;
      if (status === 204) this.#finishAll();
      else await this.open();
    } catch (error) {
      this.#refused(error);
    }
  }

  /** The connection was lost between the last event and the word that it was the last. */
  #finishAll() {
    for (const run of this.#runs.filter((one) => !this.#ended.has(one))) {
      this.#on.end?.(run);
      this.#finish(run);
    }
  }

  #refused(error) {
    if (this.#state === "closed") return;
    const isFinal = error.status >= 400 && error.status < 500 && error.status !== 429;
    this.#say(isFinal ? "closed" : "waiting");
    this.#on.error?.(error);
    if (!isFinal) this.#later();
  }

  #say(state) {
    if (this.#state === state || this.#state === "closed" || this.#state === "ended") return;
    this.#state = state;
    this.#on.state?.(state);
  }
}
