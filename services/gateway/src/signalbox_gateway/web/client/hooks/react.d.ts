/** Hooks for React. Keep `signalbox` the same object between renders. */

import type { Approval, Decided, Run, Signalbox, SignalboxError } from "../signalbox.js";

export type Connection = "connecting" | "live" | "waiting" | "ended" | "closed";
export type PendingApproval = Pick<Approval, "run_id" | "approval_id" | "title"> & Partial<Approval>;
/** Sends the digest of the approval that it is given, so that a question which has changed is not decided. */
export type Decide = (
  approval: PendingApproval, answer: unknown, options?: { note?: string; decisionId?: string; digest?: string },
) => Promise<Decided>;

/** One run, live. `run` is null until it is known, and without an id. */
export function useRun(signalbox: Signalbox, runId: string | null | undefined): {
  run: Run | null; connection: Connection; isDenied: boolean; error: SignalboxError | null;
};
/** Several runs, live, in the given order. */
export function useRuns(signalbox: Signalbox, runIds: readonly string[]): {
  runs: Run[]; connection: Connection; denied: string[]; error: SignalboxError | null;
};
/**
 * The open approvals of the runs; without `runIds`, of the tenant, which needs the session or an API key.
 * Those of the tenant have no digest: read the approval with `signalbox.approval()` before it is decided.
 */
export function useApprovals(signalbox: Signalbox, runIds?: readonly string[]): {
  approvals: PendingApproval[]; error: SignalboxError | null; decide: Decide;
};
