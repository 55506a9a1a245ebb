// Signalbox for browsers: start runs, watch them live, decide, cancel. ES modules without dependencies.
// Types: signalbox.d.ts.

import { ALL } from "./run-streams.js";
import { TabChannel } from "./tab-channel.js";
import { Watch } from "./watch.js";

// A module that the gateway serves has the gateway's address, with the path prefix of a reverse proxy.
const SERVED_BY = /^(https?:.*)\/client\/signalbox\.js$/.exec(import.meta.url.split(/[?#]/)[0])?.[1] ?? "";
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
  #identity;

  constructor({ origin = SERVED_BY, token, apiKey = token, ticket, share = "" } = {}) {
    this.#origin = origin.replace(/\/$/, "");
    this.#apiKey = apiKey;
    this.#identity = `${apiKey ?? (ticket ? "ticket" : "session")} ${share}`;
    // EventSource cannot send headers, so an API key is exchanged for tickets.
    const newTicket = async (runs) => (await this.post("/v1/stream-tickets", { runs })).ticket;
    this.#ticket = ticket ?? (apiKey ? newTicket : null);
  }

  start(pipeline, input, { runId, priority, idempotencyKey = crypto.randomUUID() } = {}) {
    const body = { pipeline, input, run_id: runId, priority };
    return this.#call("POST", "/v1/runs", body, { "Idempotency-Key": idempotencyKey });
  }

  /** Reads a path of the API that has no method of its own. */
  get(path) { return this.#call("GET", path); }

  /** Posts to a path of the API that has no method of its own. */
  post(path, body) { return this.#call("POST", path, body); }

  run(runId) { return this.get(`/v1/runs/${id(runId)}`); }

  result(runId) { return this.get(`/v1/runs/${id(runId)}/result`); }

  /** All pending approvals, oldest first. */
  async approvals() {
    const found = [];
    for (let cursor = ""; cursor !== null;) {
      const page = await this.get(`/v1/approvals${cursor && `?cursor=${id(cursor)}`}`);
      found.push(...page.approvals);
      cursor = page.next_cursor;
    }
    return found;
  }

  approval(runId, approvalId) { return this.get(`/v1/runs/${id(runId)}/approvals/${id(approvalId)}`); }

  /** `more`: digest, note and signature. */
  decide(runId, approvalId, answer, { decisionId = crypto.randomUUID(), ...more } = {}) {
    const body = { answer, decision_id: decisionId, ...more };
    return this.post(`/v1/runs/${id(runId)}/approvals/${id(approvalId)}/decision`, body);
  }

  cancel(runId, reason) { return this.post(`/v1/runs/${id(runId)}/cancel`, { reason }); }

  /** Follows one run or several until all have ended, or until `close()`. */
  watch(runs, handlers, { history = false, from = "snapshot", resume = "" } = {}) {
    return this.#follow([runs].flat(), handlers, { history: history || from === "start", from, resume });
  }

  /** Follows every run of the tenant from now on. Needs the session cookie. */
  watchAll(handlers, { from = "snapshot" } = {}) {
    if (this.#ticket) {
      const detail = "watchAll() needs a session.";
      throw new SignalboxError({ code: "session_required", detail });
    }
    return this.#follow([ALL], handlers, { history: false, from, resume: "" });
  }

  #follow(runs, handlers, options) {
    const identity = `${this.#origin} ${this.#identity}`;
    const channel = TabChannel.of(identity, () => digest(identity), {
      address: (request) => this.#streamAddress(request),
      probe: (address) => this.#probe(address),
      withCredentials: !this.#ticket,
    });
    options.toError = (error) => new SignalboxError(error);
    const watch = new Watch(channel, runs, handlers, options);
    watch.open();
    return watch;
  }

  async #streamAddress({ runs, isAll, history, lastEventId }) {
    const query = new URLSearchParams(isAll ? { all: "1" } : {});
    for (const run of runs) query.append(isAll ? "include" : "run", run);
    if (this.#ticket) query.set("ticket", await this.#ticket(runs));
    if (history) query.set("history", "1");
    // A new EventSource does not send the last event id of the previous one.
    if (lastEventId) query.set("last_event_id", lastEventId);
    return `${this.#origin}/v1/stream?${query}`;
  }

  async #call(method, path, body, headers) {
    const auth = this.#apiKey && { Authorization: `Bearer ${this.#apiKey}` };
    const json = body && { "Content-Type": "application/json" };
    const response = await request(this.#origin + path, {
      method, headers: { ...auth, ...json, ...headers },
      credentials: this.#apiKey ? "omit" : "include", body: body && JSON.stringify(body),
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
  const { status } = response;
  throw new SignalboxError({ code: String(status), ...await response.json().catch(() => ({})), status });
}

/** A name for the tabs that share a connection, which does not disclose the key. */
async function digest(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `signalbox ${new Uint32Array(bytes).join("")}`;
}
