// The gateway's API, with the session cookie. Every failure becomes a Problem with a message for the user.

export class Problem extends Error {
  constructor({ status = 0, code = "error", title = "", detail = "", errors = [], facts = {} }) {
    super(detail || title || "Something went wrong; try again.");
    Object.assign(this, { status, code, title, errors, facts });
  }
}

const READ_TIMEOUT_MS = 30_000;
// More than the gateway takes to answer any write. The same request can be sent again: ids and keys make it count once.
const WRITE_TIMEOUT_MS = 60_000;

const unreachable = () => new Problem({
  code: "unreachable", detail: "The gateway does not respond. Check your connection and try again.",
});

const signedOut = () => new Problem({ status: 401, code: "signed_out", detail: "You have signed out." });

/** The gateway's path on this origin: "/", or the path prefix of a reverse proxy. Ends with a slash. */
export const BASE = new URL("../../../", import.meta.url).pathname;
/** The path on this origin of an API path, which begins with a slash. */
export const addressOf = (path) => BASE + path.slice(1);

let onSignedOut = () => {};
export const whenSignedOut = (action) => { onSignedOut = action; };

let reads = new AbortController();
/** Aborts the reads in flight, because their session ends. They fail as reads without a session do. */
export function abortReads() {
  reads.abort();
  reads = new AbortController();
}

export async function call(method, path, { body, headers = {}, signal } = {}) {
  const ended = reads.signal;
  const failed = (error) => failureOf(error, { method, signal, ended });
  const response = await send(method, path, { body, headers, signal }).catch(failed);
  if (response.ok) return { status: response.status, body: await bodyOf(response).catch(failed) };
  const problem = await problemOf(response);
  if (response.status === 401 && path !== "/v1/sessions") onSignedOut(problem);
  throw problem;
}

/**
 * A request that hangs, for example while the gateway is frozen, fails after a time; the end of the session ends reads.
 * An upload takes as long as it takes.
 */
function limited(method, isFile, signal) {
  const limits = method === "GET" ? [reads.signal, AbortSignal.timeout(READ_TIMEOUT_MS)]
    : isFile ? [] : [AbortSignal.timeout(WRITE_TIMEOUT_MS)];
  return AbortSignal.any(signal ? [signal, ...limits] : limits);
}

function send(method, path, { body, headers, signal }) {
  const isFile = body instanceof Blob;
  const type = body === undefined ? {} : { "Content-Type": isFile ? "application/octet-stream" : "application/json" };
  return fetch(addressOf(path), {
    method, signal: limited(method, isFile, signal), credentials: "same-origin", headers: { Accept: "application/json", ...type, ...headers },
    body: body === undefined || isFile ? body : JSON.stringify(body),
  });
}

/** Throws what became of a request without a response, or whose response was cut off when the gateway was killed. */
function failureOf(error, { method, signal, ended }) {
  if (method === "GET" && ended.aborted && !signal?.aborted) throw signedOut();
  if (error.name === "AbortError") throw error;
  throw unreachable();
}

async function bodyOf(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

async function problemOf(response) {
  let members = {};
  try { members = await response.json(); } catch { /* not JSON, for example a proxy's error page: only the status is known */ }
  const { status, code, title, detail, errors, type, ...facts } = members;
  return new Problem({
    status: response.status, code: code ?? String(response.status), title: title ?? "", facts,
    errors: (Array.isArray(errors) ? errors : []).map(({ field, detail: what }) => ({ field, message: sentence(what ?? "") })),
    detail: detail ?? title ?? `The gateway responded with status ${response.status}. Try again later.`,
  });
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const get = async (path, options) => (await call("GET", path, options)).body;
const id = encodeURIComponent;

export const api = {
  signIn: (key) => call("POST", "/v1/sessions", { body: { api_key: key } }),
  signOut: () => call("DELETE", "/v1/sessions"),
  pipelines: (options) => get("/v1/pipelines", options),
  pipeline: (name, options) => get(`/v1/pipelines/${id(name)}`, options),
  runs: (query, options) => get(`/v1/runs?${new URLSearchParams(query)}`, options),
  run: (runId, options) => get(`/v1/runs/${id(runId)}`, options),
  input: (runId, options) => get(`/v1/runs/${id(runId)}/input`, options),
  result: (runId, options) => get(`/v1/runs/${id(runId)}/result`, options),
  upload: (file) => call("POST", "/v1/objects", { body: file }),
  start: (pipeline, input, key) => call("POST", "/v1/runs", { body: { pipeline, input }, headers: { "Idempotency-Key": key } }),
  artifact: (runId, name, options) => get(artifactPath(runId, name), options),
  approvals: ({ cursor = null, mine = false } = {}, options = {}) =>
    get(`/v1/approvals?status=pending${mine ? "&mine=true" : ""}${cursor ? `&cursor=${id(cursor)}` : ""}`, options),
  decidedApprovals: (limit) => get(`/v1/approvals?status=decided&limit=${limit}`),
  approval: (runId, approvalId, options) => get(`/v1/runs/${id(runId)}/approvals/${id(approvalId)}`, options),
  decide: (runId, approvalId, decision) => call("POST", `/v1/runs/${id(runId)}/approvals/${id(approvalId)}/decision`, { body: decision }),
  object: (runId, approvalId, objection) => call("POST", `/v1/runs/${id(runId)}/approvals/${id(approvalId)}/objection`, { body: objection }),
  assign: (runId, approvalId, verb, body) => call("POST", `/v1/runs/${id(runId)}/approvals/${id(approvalId)}/${verb}`, { body }),
  schedules: (options) => get("/v1/schedules", options),
  schedule: (scheduleId, options) => get(schedulePath(scheduleId), options),
  createSchedule: (body) => call("POST", "/v1/schedules", { body }),
  changeSchedule: (scheduleId, body) => call("PATCH", schedulePath(scheduleId), { body }),
  deleteSchedule: (scheduleId) => call("DELETE", schedulePath(scheduleId)),
  triggerSchedule: (scheduleId, key) => call("POST", `${schedulePath(scheduleId)}/trigger`, { body: {}, headers: { "Idempotency-Key": key } }),
  backfillSchedule: (scheduleId, body) => call("POST", `${schedulePath(scheduleId)}/backfill`, { body }),
  activity: (query, options) => get(`/v1/activity?${new URLSearchParams(query)}`, options),
  receipt: (path) => get(path),
  passkeys: () => get("/v1/passkeys"),
  passkeyOptions: () => call("POST", "/v1/passkeys/options"),
  registerPasskey: (passkey) => call("POST", "/v1/passkeys", { body: passkey }),
  revokePasskey: (passkeyId) => call("DELETE", `/v1/passkeys/${id(passkeyId)}`),
  health,
  destinations: () => get("/v1/destinations"),
  taskQueues: () => get("/v1/system/queues"),
  workers: () => get("/v1/system/workers"),
  apiKeys: () => get("/v1/api-keys"),
  scaledQueues: (options) => get("/v1/autoscaler/queues", options),
  decisions: (queue, limit, options) => get(`/v1/autoscaler/decisions?${new URLSearchParams({ queue, limit })}`, options),
  control: (runId, verb, body = {}) => call("POST", `/v1/runs/${id(runId)}/${verb}`, { body }),
  retry: (runId, body, key) => call("POST", `/v1/runs/${id(runId)}/retry`, { body, headers: { "Idempotency-Key": key } }),
};

/** The state of the gateway and its dependencies, which it also gives with status 503, when it is not ready. */
async function health() {
  try {
    return await get("/readyz");
  } catch (problem) {
    if (!problem.facts?.dependencies) throw problem;
    return { ...problem.facts, status: "unavailable" };
  }
}

const schedulePath = (scheduleId) => `/v1/schedules/${id(scheduleId)}`;
export const receiptPath = (runId, approvalId) => `/v1/runs/${id(runId)}/approvals/${id(approvalId)}/receipt`;
/** The path of an artifact's bytes, always on this gateway. */
export const artifactPath = (runId, name) => `/v1/runs/${id(runId)}/artifacts/${String(name).split("/").map(id).join("/")}`;
export const artifactAddress = (runId, name) => addressOf(artifactPath(runId, name));
export const decisionsAddress = (queue) => addressOf(`/v1/autoscaler/stream?queue=${id(queue)}`);

/** A new idempotency key; a retry of the same request must send the same key. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
