/** Signalbox for browsers: the types of signalbox.js. Field names are those of the HTTP API. */

export interface Options {
  /**
   * The gateway's address, with its path prefix if it has one. By default the address that this module was
   * loaded from, or the page's origin if the module was copied elsewhere.
   */
  origin?: string;
  /** Only for pages whose users may see the key. Without a key, the session cookie is used. */
  apiKey?: string;
  /** A scoped token that your backend got from `POST /v1/tokens`. */
  token?: string;
  /**
   * Returns a stream ticket for these runs, for example from your own server. It is called again when a
   * ticket has expired, and for runs that other tabs of your page watch.
   */
  ticket?: (runs: string[]) => Promise<string>;
  /** Tabs share a connection only if they have the same value here, origin, and kind of authentication. */
  share?: string;
}

export type RunStatus =
  | "queued" | "running" | "paused" | "completed" | "failed" | "cancelled" | "terminated" | "timed_out";

export interface Started {
  run_id: string; pipeline: string; status: RunStatus; links: Record<string, string>;
}

export interface Step {
  name: string; title: string; status: string; percent?: number | null; message?: string | null;
  attempt: number; started_at?: string | null; ended_at?: string | null;
}

/** Who acts: `key:<id>` of an API key or `<issuer>#<subject>` of a token. Only people have a name. */
export interface Subject { subject: string; kind: "human" | "service" | "agent"; name: string | null; groups: string[]; }

export interface Run {
  run_id: string; pipeline: string; status: RunStatus; steps: Step[]; approvals: Approval[];
  artifacts: { name: string; media_type: string; size_bytes: number; url: string }[];
  result?: unknown; error?: { code: string; message: string; step?: string | null } | null;
  epoch: string; sequence: number; started_by?: string | null; starter?: Subject | null;
}

export interface Approval {
  run_id: string; approval_id: string; title: string; status: string; answer_schema: object;
  options: unknown; evidence: unknown; digest: string; deadline_at: string | null;
  decided_by?: string | null; decider?: Subject | null;
}

/** The people who have a question open, the caller included. `deciding`: they have entered something. */
export interface QuestionPresence {
  run_id: string; approval_id: string; viewers: { name: string; deciding: boolean }[];
}

/** A WebAuthn assertion, base64url. */
export interface DecisionSignature {
  credential_id: string; authenticator_data: string; client_data: string; signature: string;
}

export interface Passkeys {
  rp_id: string; tenant: string; subject: string;
  passkeys: { id: string; name: string; subject: string; created_at: string; revoked_at: string | null }[];
}

export interface Decided {
  run_id: string; approval_id: string; decision_id: string; status: "accepted" | "counted" | "vetoed" | "recorded";
  decided_by: string;
}

/**
 * A state event (with a sequence; each once, in order) or progress (without).
 * `type` is `dev.signalbox.<name>.v1`.
 */
export interface RunEvent {
  id: string; type: string; time: string; runid: string; sequence?: number; stepid?: string; attempt?: number;
  data: Record<string, unknown>;
}

export interface Handlers {
  /** The current state of the run; sent first, and again after `reset`. */
  snapshot?(run: Run): void;
  event?(event: RunEvent): void;
  progress?(event: RunEvent): void;
  /** Discard your state of this run; a snapshot follows. */
  reset?(runId: string): void;
  end?(runId: string): void;
  /** The run is unknown or belongs to another tenant; the other runs continue. */
  denied?(runId: string): void;
  /**
   * `reason` is given with "waiting": "lost" when the connection broke, "silent" when it delivered nothing
   * for 30 s, not even the gateway's pings. It stays "waiting" until the connection is live again.
   */
  state?(state: "connecting" | "live" | "waiting" | "ended" | "closed", reason?: "lost" | "silent"): void;
  error?(error: SignalboxError): void;
}

/** Handlers of `watchAll`, as in `watch`. A run that was open before may be sent as a `snapshot` first. */
export interface AllHandlers extends Omit<Handlers, "denied"> {
  /** Events may have been missed before this: read your list again. `partial`: not every run is followed. */
  runs?(open: { runs: string[]; partial: boolean }): void;
  /** The viewers of a question have changed. They expire after 40 s: read `/v1/approvals/presence` now and then. */
  presence?(question: QuestionPresence): void;
}

export interface Watch { close(): void; }

export class SignalboxError extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: { field: string; detail: string }[];
}

export class Signalbox {
  constructor(options?: Options);
  /** Idempotent by `runId` or `idempotencyKey`; without either, a key is generated. */
  start(pipeline: string, input: unknown, options?: {
    runId?: string; priority?: 1 | 2 | 3 | 4 | 5; idempotencyKey?: string;
  }): Promise<Started>;
  /** Reads a path of the API that has no method of its own, for example `/v1/passkeys` (`Passkeys`). */
  get(path: string): Promise<unknown>;
  /** Posts to a path of the API that has no method of its own. */
  post(path: string, body: object): Promise<unknown>;
  run(runId: string): Promise<Run>;
  result(runId: string): Promise<unknown>;
  approvals(): Promise<{
    run_id: string; approval_id: string; title: string; pipeline: string; requested_at: string; url: string;
  }[]>;
  approval(runId: string, approvalId: string): Promise<Approval>;
  decide(runId: string, approvalId: string, answer: unknown, options?: {
    decisionId?: string; digest?: string; note?: string; signature?: DecisionSignature;
  }): Promise<Decided>;
  cancel(runId: string, reason?: string): Promise<{ run_id: string; accepted: "cancel" }>;
  /**
   * Follows runs until all have ended. All tabs of a browser share one connection.
   *
   * `from`: "snapshot" (default) sends the present state, then new events; "start", or `history: true`, sends
   * every event from the first after the snapshot (those up to `run.sequence` are included in the snapshot);
   * "latest" sends new events only. A run that has ended is sent in full, except from "latest".
   * `resume`: a name under which the tab's session storage keeps the position. After a reload, a watch with
   * the same name begins after the last event that the previous one received, without a snapshot.
   */
  watch(runs: string | string[], handlers: Handlers, options?: {
    history?: boolean; from?: "start" | "snapshot" | "latest"; resume?: string;
  }): Watch;
  /** Follows every run of the tenant: each event from now on, once and in order. Needs the session cookie. */
  watchAll(handlers: AllHandlers, options?: { from?: "snapshot" | "latest" }): Watch;
}
