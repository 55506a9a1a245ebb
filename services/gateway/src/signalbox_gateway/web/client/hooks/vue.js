// Composables for Vue 3.3 and later; `vue` is a peer. Types: vue.d.ts.

import { computed, onScopeDispose, shallowRef, toValue, watch } from "vue";
import { InboxStore } from "../state/inbox-store.js";
import { RunsStore, openApprovals, sendDecision } from "../state/runs-store.js";

const idsOf = (key) => key.split("\n").filter(Boolean);

export function useRuns(signalbox, runIds) {
  const { state, key } = useStore(() => toValue(runIds), (ids) => new RunsStore(signalbox, ids));
  return {
    runs: computed(() => idsOf(key.value).map((id) => state.value.runs[id]).filter(Boolean)),
    connection: computed(() => state.value.connection),
    denied: computed(() => state.value.denied),
    error: computed(() => state.value.error),
  };
}

export function useRun(signalbox, runId) {
  const ids = () => [toValue(runId)].filter(Boolean);
  const { runs, connection, denied, error } = useRuns(signalbox, ids);
  return {
    run: computed(() => runs.value[0] ?? null),
    isDenied: computed(() => denied.value.includes(toValue(runId))),
    connection, error,
  };
}

export function useApprovals(signalbox, runIds) {
  const isInbox = runIds === undefined;
  const { state, current } = useStore(() => (isInbox ? [] : toValue(runIds)), (ids) =>
    (isInbox ? new InboxStore(signalbox) : new RunsStore(signalbox, ids)));
  return {
    approvals: computed(() => state.value.approvals ?? openApprovals(state.value.runs)),
    error: computed(() => state.value.error),
    decide: (...given) => sendDecision(signalbox, current(), ...given),
  };
}

/** Follows the store of the current ids until the scope ends. */
function useStore(readIds, create) {
  const key = computed(() => readIds().join("\n"));
  const state = shallowRef(null);
  let store = null;
  let stop = () => {};
  watch(key, (joined) => {
    stop();
    store = create(idsOf(joined));
    state.value = store.state;
    stop = store.subscribe(() => { state.value = store.state; });
  }, { immediate: true });
  onScopeDispose(() => stop());
  return { state, key, current: () => store };
}
