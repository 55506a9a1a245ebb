// What a run is doing, in a status and in words. Pure.
import { statusWord } from "../ui/status.js";
import { hasEnded } from "./fold.js";
import { session } from "./session.js";
import { awaitedName } from "./waiting-for.js";

const CAUSES = {
  no_worker: "no worker", workflow_error: "code error", non_determinism: "code changed", deadlock: "deadlock",
  task_timeout: "task timeout",
};

/**
 * The most important fact first: a run that cannot continue, then an open question, then that it waits for a worker.
 *
 * Returns {status, text, until}: `until` is the deadline of the question that expires first, or null.
 */
export function runState(snapshot) {
  const pending = snapshot.approvals.filter((approval) => approval.status === "pending");
  const blocked = blockedState(snapshot);
  if (blocked) return { ...blocked, until: null };
  if (pending.length && ["running", "queued"].includes(snapshot.status)) {
    const [until = null] = pending.map((approval) => approval.deadline_at).filter(Boolean).sort();
    const name = awaitedName(pending, session()?.subject);
    return { status: "attention", text: name ? `Waiting for ${name}` : "Waiting for a decision", until };
  }
  const isWorking = snapshot.steps.some((step) => step.status === "running");
  if (snapshot.status === "paused" && isWorking) {
    return { status: "paused", text: "Pausing after this step", until: null };
  }
  const queued = queuedState(snapshot);
  if (queued) return { ...queued, until: null };
  // A worker reports the first event; without one, none has picked the run up.
  const isUntouched = snapshot.sequence === 0 && snapshot.steps.every((step) => step.status === "pending");
  const isQueued = snapshot.status === "running" && isUntouched;
  const status = isQueued ? "queued" : snapshot.status;
  return { status, text: statusWord(status), until: null };
}

/** The state of a run as the list has it, without steps and questions: {status, text}. */
export function listState(run) {
  const blocked = blockedState(run);
  if (blocked) return blocked;
  if (run.waiting && run.status === "running") {
    return { status: "attention", text: `Waiting for ${awaitedName(run.questions ?? [], session()?.subject) ?? "a person"}` };
  }
  return queuedState(run) ?? { status: run.status, text: statusWord(run.status) };
}

function blockedState(run) {
  if (!run.blocked || hasEnded(run)) return null;
  const cause = CAUSES[run.blocked.code];
  return { status: "blocked", text: cause ? `Blocked: ${cause}` : "Blocked" };
}

function queuedState(run) {
  if (!run.queued || hasEnded(run)) return null;
  const { ahead } = run.queued;
  return { status: "queued", text: ahead ? `Queued · ${ahead.toLocaleString("en")} ahead` : "Queued" };
}
