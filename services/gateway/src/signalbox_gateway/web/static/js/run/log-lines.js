// The text of the event log: one line per event, or per fact of a snapshot. Pure.
import { shortName } from "../data/fold.js";
import { elapsed, humane, plural, sized } from "../ui/format.js";
import { waitText } from "./waits.js";

/** What a line states: equal for a line of the snapshot and that of an event which the snapshot has taken in. */
export const factOf = ({ name, subject }) => `${name}/${subject}`;

/** The text of `count` consecutive files, which share one line. */
export const bunched = (count, text) => `${plural(count, "file")}, latest: ${text.replace("File: ", "")}`;

export function linesOf(snapshot) {
  const lines = [{ name: "run.started", subject: "", at: snapshot.started_at, status: "running", text: started(snapshot.started_by) }];
  for (const step of snapshot.steps) lines.push(...stepLines(step));
  for (const item of snapshot.approvals) {
    const { approval_id: subject, requested_at, decided_at, decided_by } = item;
    lines.push({ name: "approval.requested", subject, at: requested_at, status: "attention", text: `Approval requested: ${item.title}` });
    for (const vote of item.votes ?? []) {
      lines.push({ name: "approval.voted", subject: `${subject}/${vote.decision_id}`, at: vote.voted_at, status: "attention", text: voted(vote) });
    }
    if (decided_at && item.status === "vetoed") {
      lines.push({ name: "approval.vetoed", subject, at: decided_at, status: "failed", text: `Vetoed by ${decided_by}: ${item.note}` });
    } else if (decided_at) lines.push({ name: "approval.decided", subject, at: decided_at, status: "completed", text: `Decided by ${decided_by}` });
  }
  for (const wait of snapshot.waits ?? []) lines.push(...waitLines(wait));
  const { status, ended_at: at } = snapshot;
  if (at) lines.push({ name: `run.${status}`, subject: "", at, status, text: endText(snapshot) });
  return lines;
}

function waitLines(wait) {
  const { wait_id: subject, requested_at, ended_at: at, status } = wait;
  const lines = [{ name: "wait.requested", subject, at: requested_at, status: "waiting", text: waitText(wait) }];
  const ends = { received: received(wait), expired: ["expired", EXPIRED], withdrawn: ["cancelled", NO_LONGER] };
  if (at && ends[status]) lines.push({ name: `wait.${status}`, subject, at, status: ends[status][0], text: ends[status][1] });
  return lines;
}

const EXPIRED = "The event did not arrive in time";
const NO_LONGER = "Withdrawn: the run no longer waits";
const received = (event) => ["completed", `Received ${event.name}${event.sender ? ` from ${nameOf(event.sender)}` : ""} (${event.event_id})`];

function stepLines(step) {
  const lines = [];
  if (step.started_at) lines.push({ name: "step.started", subject: step.name, at: step.started_at, status: "running", text: step.title });
  if (step.ended_at && step.status !== "cancelled") {
    const took = elapsed(step.started_at, step.ended_at);
    const text = step.status === "failed" ? `${step.title}: ${step.message}` : `${step.title}, done in ${took}`;
    lines.push({ name: `step.${step.status}`, subject: step.name, at: step.ended_at, status: step.status, text });
  }
  return lines;
}

const started = (by) => (by ? `Run started by ${by}` : "Run started");
const nameOf = (by) => by.name ?? by.subject;
const voted = ({ voted_by: by, objection, note }) => `${nameOf(by)} ${objection ? `objected: ${note}` : "voted"}`;
const endText = (snapshot) => (snapshot.error ? snapshot.error.message : `Run ${snapshot.status.replace("_", " ")}`);

const TEXTS = {
  "run.started": (data) => ["running", started(data.started_by)],
  "step.started": (data) => ["running", data.title],
  "step.completed": (data, frame) => ["completed", `${data.title}, done in ${elapsed(data.started_at, frame.time)}`],
  "step.failed": (data) => ["failed", `${data.title}: ${data.error.message}`],
  "artifact.created": (data) => ["completed", `File: ${sized(data.title ?? data.name)}`],
  "approval.requested": (data) => ["attention", `Approval requested: ${data.title}`],
  "approval.reminded": () => ["attention", "Reminder sent: the approval is still pending"],
  "approval.claimed": (data) => ["attention", `${nameOf(data.claimed_by)} is deciding`],
  "approval.released": (data) => ["attention", `${nameOf(data.released_by)} released the claim`],
  "approval.delegated": (data) => ["attention", `${data.delegated_by ? `${nameOf(data.delegated_by)} delegated` : "Delegated"} to ${data.to}`],
  "approval.escalated": (data) => ["attention", `Escalated to ${data.to}`],
  "approval.voted": (data) => ["attention", voted(data)],
  "approval.vote_refused": (data) => ["attention", `The vote of ${nameOf(data.voted_by)} was refused: ${data.reason}`],
  "approval.vetoed": (data) => ["failed", `Vetoed by ${nameOf(data.voted_by)}: ${data.reason}`],
  "approval.decided": (data) => ["completed", `Decided by ${data.decided_by}`],
  "approval.expired": (data) => ["expired", data.outcome === "defaulted" ? "Expired: the run continues with the default answer" : "Expired without a decision"],
  "approval.withdrawn": () => ["cancelled", "Withdrawn: the run no longer asks"],
  "wait.requested": (data) => ["waiting", waitText(data)],
  "wait.received": (data) => received(data),
  "wait.expired": () => ["expired", EXPIRED],
  "wait.withdrawn": () => ["cancelled", NO_LONGER],
  "child.started": (data) => ["running", `Run started: ${data.title} (${data.child_run_id})`],
  "child.ended": (data) => [data.status, `Run ended: ${data.child_run_id}`],
  "event.refused": (data) => ["failed", `An event was refused (${data.name}): ${data.reason}`],
  "stream.skipped": (data) => ["failed", `An event could not be read: ${data.reason}`],
  "run.paused": (data) => ["paused", data.by ? `Paused by ${data.by}` : "Paused"],
  "run.resumed": (data) => ["running", data.by ? `Resumed by ${data.by}` : "Resumed"],
  "run.completed": () => ["completed", "Run completed"],
  "run.failed": (data) => ["failed", data.error.message],
  "run.cancelled": (data) => ["cancelled", `Run cancelled${data.by ? ` by ${data.by}` : ""}${data.reason ? `: ${data.reason}` : ""}`],
  "run.terminated": (data) => ["terminated", data.reason ?? "Run terminated"],
  "run.timed_out": (data) => ["timed_out", data.reason ?? "Run timed out"],
};

/** A pipeline's own event: its name in words and up to two short texts from its data. */
function domainText(name, data) {
  const about = [data.variant, data.title, data.headline, data.name].filter((text) => typeof text === "string" && text.length < 90);
  return [humane(name.replaceAll(".", " ")), ...about.slice(0, 2)].join(" · ");
}

function subjectOf(name, data) {
  if (name === "approval.voted") return `${data.approval_id}/${data.decision_id}`;
  return data.child_run_id ?? data.approval_id ?? data.wait_id ?? data.step ?? data.name ?? "";
}

export function lineOf(frame) {
  const name = shortName(frame.type);
  if (name === "step.progress" || name === "stream.reset") return null;
  const data = frame.data ?? {};
  const [status, text] = TEXTS[name]?.(data, frame) ?? ["completed", domainText(name, data)];
  return { name, subject: subjectOf(name, data), at: frame.time, status, text };
}
