// What a run is doing, in a status and in words. Pure.
import { statusWord } from "../ui/status.js";

/**
 * The most important fact first: an open question outranks "running".
 *
 * Returns {status, text, until}: `until` is the deadline of the question that expires first, or null.
 */
export function runState(snapshot) {
  const pending = snapshot.approvals.filter((approval) => approval.status === "pending");
  if (pending.length && ["running", "queued"].includes(snapshot.status)) {
    const [until = null] = pending.map((approval) => approval.deadline_at).filter(Boolean).sort();
    return { status: "attention", text: "Waiting for a decision", until };
  }
  const isWorking = snapshot.steps.some((step) => step.status === "running");
  if (snapshot.status === "paused" && isWorking) {
    return { status: "paused", text: "Pausing after this step", until: null };
  }
  // A worker reports the first event; without one, none has picked the run up.
  const isUntouched = snapshot.sequence === 0 && snapshot.steps.every((step) => step.status === "pending");
  const isQueued = snapshot.status === "running" && isUntouched;
  const status = isQueued ? "queued" : snapshot.status;
  return { status, text: statusWord(status), until: null };
}
