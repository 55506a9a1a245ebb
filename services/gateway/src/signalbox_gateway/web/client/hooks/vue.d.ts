/** Composables for Vue, as the hooks for React; ids may be refs or getters. */

import type { ComputedRef, MaybeRefOrGetter } from "vue";
import type { Run, Signalbox, SignalboxError } from "../signalbox.js";
import type { Connection, Decide, PendingApproval } from "./react.js";

export function useRun(signalbox: Signalbox, runId: MaybeRefOrGetter<string | null | undefined>): {
  run: ComputedRef<Run | null>; connection: ComputedRef<Connection>; isDenied: ComputedRef<boolean>;
  error: ComputedRef<SignalboxError | null>;
};
export function useRuns(signalbox: Signalbox, runIds: MaybeRefOrGetter<readonly string[]>): {
  runs: ComputedRef<Run[]>; connection: ComputedRef<Connection>; denied: ComputedRef<string[]>;
  error: ComputedRef<SignalboxError | null>;
};
export function useApprovals(signalbox: Signalbox, runIds?: MaybeRefOrGetter<readonly string[]>): {
  approvals: ComputedRef<PendingApproval[]>; error: ComputedRef<SignalboxError | null>; decide: Decide;
};
