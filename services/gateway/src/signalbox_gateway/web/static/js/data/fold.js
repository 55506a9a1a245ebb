// A run's snapshot as a pure fold over its events; a test compares it with signalbox_core/events/snapshot.py.

const PREFIX = "dev.signalbox.";
const NO_TEXT = { text: null, text_offset: 0 };
const FREE = { blocked: null, queued: null };
const OVER = { ...NO_TEXT, percent: null, message: null };
const MAX_REFUSED = 10;
const ENDED = new Set(["completed", "failed", "cancelled", "terminated", "timed_out"]);

/** `dev.signalbox.step.completed.v1` → `step.completed`. */
export function shortName(type) {
  return type.startsWith(PREFIX) ? type.slice(PREFIX.length).replace(/\.[^.]*$/, "") : type;
}

export const hasEnded = (snapshot) => ENDED.has(snapshot.status);

export function emptySnapshot(runId, tenant = "") {
  return {
    run_id: runId, tenant, pipeline: "", title: "", status: "running", started_at: null, started_by: null, starter: null,
    ended_at: null,
    steps: [], approvals: [], artifacts: [], result: null, error: null, sequence: 0,
    blocked: null, queued: null, parent: null, children: [], retry_of: null, retried_as: null, retried_at: null, waits: [],
    subject: null, tags: [], plain: false, trace_id: null,
  };
}

/** The snapshot after `frame`. State events arrive in order; duplicates and unknown types are ignored. */
export function fold(snapshot, frame) {
  let next = snapshot;
  if (frame.sequence !== undefined && frame.sequence !== null) {
    if (frame.sequence <= snapshot.sequence) return snapshot;
    next = { ...snapshot, sequence: frame.sequence };
  }
  const change = CHANGES[shortName(frame.type)];
  return change ? change(next, frame.data, frame) : next;
}

const CHANGES = {
  "run.started": (snapshot, data, frame) => ({
    ...snapshot, pipeline: data.pipeline, title: data.title, status: "running", started_at: frame.time, started_by: data.started_by ?? null,
    retry_of: data.retry_of ?? null, parent: data.parent ?? null, subject: data.subject ?? null, tags: data.tags ?? [],
    starter: subject(data.starter), plain: data.plain ?? false, trace_id: data.trace_id ?? null,
    steps: (data.steps ?? []).map((step) => newStep(step.name, step.title)),
  }),
  "step.started": (snapshot, data, frame) =>
    withStep(snapshot, { ...newStep(data.step, data.title), status: "running", attempt: data.attempt ?? 1, started_at: frame.time }),
  "step.progress": stepProgress,
  "stream.reset": (snapshot, data, frame) => {
    const before = runningStep(snapshot, data.step, frame);
    return before ? withStep(snapshot, { ...before, ...NO_TEXT }) : snapshot;
  },
  "step.completed": (snapshot, data, frame) => {
    const before = stepOrNew(snapshot, data);
    return withStep(snapshot, {
      ...before, ...OVER, status: "completed", percent: 100, message: data.message ?? null, started_at: data.started_at, ended_at: frame.time,
      items: data.items ?? before.items,
    });
  },
  "step.failed": (snapshot, data, frame) => {
    const before = stepOrNew(snapshot, data);
    return withStep(snapshot, {
      ...before, ...OVER, status: "failed", message: data.error.message, started_at: data.started_at, ended_at: frame.time,
      items: data.items ?? before.items,
    });
  },
  "artifact.created": (snapshot, data) => ({
    ...snapshot,
    artifacts: [
      ...snapshot.artifacts.filter((artifact) => artifact.name !== data.name),
      { name: data.name, media_type: data.media_type, size_bytes: data.size_bytes, key: data.key, title: data.title ?? null },
    ],
  }),
  "approval.requested": approvalRequested,
  "approval.decided": (snapshot, data, frame) =>
    withApproval(snapshot, data.approval_id, {
      status: "decided", claim: null, decision_id: data.decision_id, decided_by: data.decided_by, decided_at: frame.time,
      answer: data.answer, note: data.note ?? null, decider: subject(data.decider),
      outcome: data.outcome ?? null, modified: data.modified ?? [], door: data.door ?? null,
    }),
  "approval.claimed": (snapshot, data) =>
    withApproval(snapshot, data.approval_id, { claim: { by: subject(data.claimed_by), until: data.until } }),
  "approval.released": (snapshot, data) => withApproval(snapshot, data.approval_id, { claim: null }),
  "approval.delegated": handedOver,
  "approval.escalated": handedOver,
  "approval.voted": approvalVoted,
  "approval.vote_refused": voteRefused,
  "approval.vetoed": (snapshot, data, frame) =>
    withApproval(snapshot, data.approval_id, {
      status: "vetoed", claim: null, decision_id: data.decision_id, decided_by: data.voted_by.name ?? data.voted_by.subject, decided_at: frame.time,
      note: data.reason, decider: subject(data.voted_by), door: data.door ?? null,
    }),
  "approval.expired": (snapshot, data) =>
    withApproval(snapshot, data.approval_id, {
      status: "expired", outcome: data.outcome ?? null, ...(data.answer === undefined ? {} : { answer: data.answer }),
    }),
  "approval.withdrawn": (snapshot, data) => withApproval(snapshot, data.approval_id, { status: "withdrawn" }),
  "wait.requested": waitRequested,
  "wait.received": (snapshot, data, frame) =>
    withWait(snapshot, data.wait_id, {
      status: "received", ended_at: frame.time, event_id: data.event_id, data: data.data, sender: subject(data.sender),
    }),
  "wait.expired": (snapshot, data, frame) => withWait(snapshot, data.wait_id, { status: "expired", ended_at: frame.time }),
  "wait.withdrawn": (snapshot, data, frame) => withWait(snapshot, data.wait_id, { status: "withdrawn", ended_at: frame.time }),
  "run.paused": (snapshot) => ({ ...snapshot, status: "paused" }),
  "run.resumed": (snapshot) => ({ ...snapshot, status: "running" }),
  "child.started": (snapshot, data) => ({
    ...snapshot,
    children: [
      ...snapshot.children.filter((child) => child.run_id !== data.child_run_id),
      { run_id: data.child_run_id, pipeline: data.pipeline, title: data.title, step: data.step ?? null, status: "running" },
    ],
  }),
  "child.ended": (snapshot, data) => ({
    ...snapshot,
    children: snapshot.children.map((child) => (child.run_id === data.child_run_id ? { ...child, status: data.status } : child)),
  }),
  "run.retried": (snapshot, _data, frame) => ({ ...snapshot, retried_at: frame.time }),
  "run.blocked": (snapshot, data) => ({ ...snapshot, blocked: { code: data.code, reason: data.reason, since: data.since }, queued: null }),
  "run.queued": (snapshot, data) => ({ ...snapshot, blocked: null, queued: { ahead: data.ahead, reason: data.reason, since: data.since } }),
  "run.unblocked": (snapshot) => ({ ...snapshot, ...FREE }),
  "run.completed": (snapshot, data, frame) => ({
    ...snapshot, ...FREE, status: "completed", result: data.result, ended_at: frame.time,
    approvals: withoutPending(snapshot.approvals), waits: withoutPending(snapshot.waits),
  }),
  "run.failed": (snapshot, data, frame) => ended({ ...snapshot, error: failure(data.error) }, "failed", frame),
  "run.cancelled": (snapshot, _data, frame) => ended(snapshot, "cancelled", frame),
  "run.terminated": (snapshot, _data, frame) => ended(snapshot, "terminated", frame),
  "run.timed_out": (snapshot, _data, frame) => ended(snapshot, "timed_out", frame),
};

function stepProgress(snapshot, data, frame) {
  const before = runningStep(snapshot, data.step, frame);
  if (!before) return snapshot;
  const text = (data.text ?? null) === null ? {} : { text: data.text, text_offset: data.offset ?? 0 };
  return withStep(snapshot, {
    ...before, percent: data.percent ?? null, message: data.message ?? before.message, items: data.items ?? before.items, ...text,
  });
}

/** The step of a progress event; undefined when the event is late or belongs to an earlier round of the step. */
function runningStep(snapshot, name, frame) {
  const step = snapshot.steps.find((item) => item.name === name);
  if (!step || step.status !== "running" || !step.started_at) return undefined;
  return microseconds(frame.time) < microseconds(step.started_at) ? undefined : step;
}

/** Who acted, with every member; null in events of earlier releases. */
function subject(data) {
  if (!data) return null;
  return { subject: data.subject, kind: data.kind ?? "human", name: data.name ?? null, groups: data.groups ?? [] };
}

function handedOver(snapshot, data) {
  const before = snapshot.approvals.find((item) => item.approval_id === data.approval_id);
  const changed = data.policy
    ? { policy: policy(data.policy), asked_policy: before?.asked_policy ?? before?.policy ?? null } : {};
  return withApproval(snapshot, data.approval_id, { handed_to: data.to, ...changed, ...(data.delegated_by ? { claim: null } : {}) });
}

function approvalRequested(snapshot, data, frame) {
  const approval = {
    approval_id: data.approval_id, name: data.name, title: data.title, status: "pending", answer_schema: data.answer_schema,
    options: data.options, evidence: data.evidence, digest: data.digest, requested_at: frame.time, step: data.step ?? null,
    deadline_at: data.deadline_at ?? null, decision_id: null, decided_by: null, decided_at: null, answer: null, note: null, decider: null,
    about: data.about ?? null, policy: policy(data.policy), votes: [], claim: null, handed_to: null, refused: [], asked_policy: null,
    proposal: data.proposal ?? null, outcome: null, modified: [], round: data.round ?? 1, door: null,
  };
  return { ...snapshot, approvals: [...snapshot.approvals.filter((item) => item.approval_id !== data.approval_id), approval] };
}

/** The latest vote of each subject, in the order in which they were cast. */
function approvalVoted(snapshot, data, frame) {
  const approval = snapshot.approvals.find((item) => item.approval_id === data.approval_id);
  if (!approval) return snapshot;
  const vote = {
    decision_id: data.decision_id, voted_by: subject(data.voted_by), voted_at: frame.time, answer: data.answer, objection: data.objection ?? false,
    note: data.note ?? null, group: data.group ?? null, quorum: (data.quorum ?? []).map((item) => ({ ...item, group: item.group ?? null })),
    door: data.door ?? null,
  };
  const others = (approval.votes ?? []).filter((item) => item.voted_by.subject !== vote.voted_by.subject);
  const claim = approval.claim?.by.subject === vote.voted_by.subject ? null : approval.claim ?? null;
  return withApproval(snapshot, data.approval_id, { votes: [...others, vote], claim });
}

/** The latest votes that were refused after their senders had a reply. */
function voteRefused(snapshot, data, frame) {
  const approval = snapshot.approvals.find((item) => item.approval_id === data.approval_id);
  if (!approval) return snapshot;
  const refused = {
    decision_id: data.decision_id, voted_by: subject(data.voted_by), refused_at: frame.time, code: data.code, reason: data.reason,
  };
  return withApproval(snapshot, data.approval_id, { refused: [...(approval.refused ?? []), refused].slice(-MAX_REFUSED) });
}

/** Who may decide, with every member; null for the default, by which one approver decides. */
function policy(data) {
  if (!data) return null;
  const quorum = (data.quorum ?? [{}]).map((item) => ({ needed: item.needed ?? 1, group: item.group ?? null }));
  const signed = data.require_signature ? { require_signature: true } : {};
  return { quorum, veto: data.veto ?? [], exclude_starter: data.exclude_starter ?? false, people: data.people ?? [], ...signed };
}

function waitRequested(snapshot, data, frame) {
  const wait = {
    wait_id: data.wait_id, name: data.name, title: data.title, requested_at: frame.time, deadline_at: data.deadline_at, status: "pending",
    key: data.key ?? null, step: data.step ?? null, is_callback: data.is_callback ?? false, ended_at: null, event_id: null, data: null, sender: null,
  };
  return { ...snapshot, waits: [...snapshot.waits.filter((item) => item.wait_id !== data.wait_id), wait] };
}

const withoutPending = (items) => items.map((item) => (item.status === "pending" ? { ...item, status: "cancelled" } : item));

/** Ends the run, and with it its running steps, pending approvals and pending waits. */
function ended(snapshot, status, frame) {
  return {
    ...snapshot, ...FREE, status, ended_at: frame.time,
    steps: snapshot.steps.map((step) => (step.status === "running" ? { ...step, ...OVER, status: "cancelled", ended_at: frame.time } : step)),
    approvals: withoutPending(snapshot.approvals), waits: withoutPending(snapshot.waits),
  };
}

/** Date has millisecond precision only; events of one step can be closer together. */
function microseconds(instant) {
  const fraction = /\.(\d{1,6})/.exec(instant)?.[1] ?? "";
  return Math.floor(Date.parse(instant) / 1000) * 1e6 + Number(fraction.padEnd(6, "0"));
}

const newStep = (name, title) => ({
  name, title, status: "pending", percent: null, message: null, items: null, attempt: 0, started_at: null, ended_at: null, ...NO_TEXT,
});

const stepOrNew = (snapshot, data) =>
  snapshot.steps.find((step) => step.name === data.step) ?? { ...newStep(data.step, data.title), attempt: 1 };

const failure = (error) => ({ code: error.code, message: error.message, field: error.field ?? null, step: error.step ?? null });

function withStep(snapshot, state) {
  const known = snapshot.steps.some((step) => step.name === state.name);
  const steps = known ? snapshot.steps.map((step) => (step.name === state.name ? state : step)) : [...snapshot.steps, state];
  return { ...snapshot, steps };
}

function withApproval(snapshot, id, change) {
  return { ...snapshot, approvals: snapshot.approvals.map((item) => (item.approval_id === id ? { ...item, ...change } : item)) };
}

function withWait(snapshot, id, change) {
  return { ...snapshot, waits: snapshot.waits.map((item) => (item.wait_id === id ? { ...item, ...change } : item)) };
}
