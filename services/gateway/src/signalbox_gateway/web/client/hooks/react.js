// Hooks for React 18 and later; `react` is a peer. Types: react.d.ts.

import { useCallback, useMemo, useSyncExternalStore } from "react";
import { InboxStore } from "../state/inbox-store.js";
import { RunsStore, openApprovals, sendDecision } from "../state/runs-store.js";

const idsOf = (key) => key.split("\n").filter(Boolean);

export function useRuns(signalbox, runIds) {
  const key = runIds.join("\n");
  const state = useStore(useMemo(() => new RunsStore(signalbox, idsOf(key)), [signalbox, key]));
  return useMemo(() => {
    const runs = idsOf(key).map((id) => state.runs[id]).filter(Boolean);
    return { runs, connection: state.connection, denied: state.denied, error: state.error };
  }, [state, key]);
}

export function useRun(signalbox, runId) {
  const { runs, connection, denied, error } = useRuns(signalbox, runId ? [runId] : []);
  return { run: runs[0] ?? null, connection, isDenied: denied.includes(runId), error };
}

export function useApprovals(signalbox, runIds) {
  const key = runIds?.join("\n");
  const store = useMemo(
    () => (key === undefined ? new InboxStore(signalbox) : new RunsStore(signalbox, idsOf(key))),
    [signalbox, key],
  );
  const state = useStore(store);
  const decide = useCallback((...given) => sendDecision(signalbox, store, ...given), [signalbox, store]);
  const approvals = useMemo(() => state.approvals ?? openApprovals(state.runs), [state]);
  return { approvals, error: state.error, decide };
}

function useStore(store) {
  const subscribe = useCallback((listener) => store.subscribe(listener), [store]);
  const read = useCallback(() => store.state, [store]);
  return useSyncExternalStore(subscribe, read, read);
}
