// The timeline of a run: when each step ran, attempt by attempt, and what it waited for. Pure.
import { hasEnded, shortName } from "../data/fold.js";
import { waitText } from "./waits.js";

const KINDS = /^(step\.(started|completed|failed)|approval\.(requested|decided|vetoed|expired|withdrawn)|wait\.(requested|received|expired|withdrawn)|run\.(started|paused|resumed))$/;

/** Whether a frame changes the timeline. */
export const isTimed = (frame) => KINDS.test(shortName(frame.type));

/**
 * {from, to, waits, rows}: instants in ms; `rows` has one entry per step, {name, title, status, spans}.
 *
 * A span is {kind, from, to, label}; kind is work, failed, stopped (work that ended without a result), person, event
 * (from outside), paused or queued. `waits` are those of the whole run.
 */
export function timelineOf(snapshot, frames, now) {
  const from = Date.parse(snapshot.started_at ?? snapshot.steps[0]?.started_at ?? now);
  const to = Math.max(from + 1, hasEnded(snapshot) && snapshot.ended_at ? Date.parse(snapshot.ended_at) : now);
  const spans = new Map(snapshot.steps.map((step) => [step.name, []]));
  const waits = [];
  const log = new SpanLog(spans, waits, to, hasEnded(snapshot));
  if (frames.some((frame) => shortName(frame.type).startsWith("step."))) for (const frame of frames) log.take(frame);
  else for (const step of snapshot.steps) log.takeStep(step);
  log.finish();
  const first = Math.min(to, ...[...spans.values()].flat().map((span) => span.from));
  if (first > from) waits.unshift({ kind: "queued", from, to: first, label: "Queued" });
  const asked = new Set(snapshot.approvals.filter(({ status }) => status === "pending").map(({ step }) => step));
  const statusOf = ({ name, status }) => (asked.has(name) ? "attention" : status);
  const rows = snapshot.steps.map((step) => ({ name: step.name, title: step.title, status: statusOf(step), spans: spans.get(step.name) }));
  return { from, to, waits, rows };
}

class SpanLog {
  #working = new Map();
  #asked = new Map();
  #pausedAt = null;

  constructor(spans, waits, end, isOver) {
    Object.assign(this, { spans, waits, end, isOver });
  }

  take(frame) {
    const { data = {} } = frame;
    const at = Date.parse(frame.time);
    switch (shortName(frame.type)) {
      case "step.started": this.#start(data.step, at, data.attempt ?? 1); break;
      case "step.completed": this.#stop(data.step, at, "work"); break;
      case "step.failed": this.#stop(data.step, at, "failed"); break;
      case "approval.requested": this.#asked.set(data.approval_id, { kind: "person", step: data.step, from: at, title: data.title }); break;
      case "wait.requested": this.#asked.set(data.wait_id, { kind: "event", step: data.step, from: at, title: waitText(data) }); break;
      case "wait.received": case "wait.expired": case "wait.withdrawn": this.#answered(data.wait_id, at); break;
      case "approval.decided": case "approval.vetoed": case "approval.expired": case "approval.withdrawn": this.#answered(data.approval_id, at); break;
      case "run.paused": this.#pausedAt ??= at; break;
      case "run.resumed": this.#resume(at); break;
      default:
    }
  }

  /** Without events, a step's latest attempt is all that is known. */
  takeStep(step) {
    if (!step.started_at) return;
    this.#start(step.name, Date.parse(step.started_at), step.attempt ?? 1);
    if (step.ended_at) this.#stop(step.name, Date.parse(step.ended_at), step.status === "failed" ? "failed" : "work");
  }

  finish() {
    for (const name of [...this.#working.keys()]) this.#stop(name, this.end, this.isOver ? "stopped" : "work");
    for (const id of [...this.#asked.keys()]) this.#answered(id, this.end);
    if (this.#pausedAt !== null) this.#resume(this.end);
  }

  #start(step, at, attempt) {
    this.#stop(step, at, "stopped");
    this.#working.set(step, { from: at, attempt });
  }

  #stop(step, at, kind) {
    const work = this.#working.get(step);
    if (!work) return;
    this.#working.delete(step);
    const label = work.attempt > 1 ? `Attempt ${work.attempt}` : "";
    this.#row(step).push({ kind, from: work.from, to: Math.max(at, work.from), label });
  }

  #answered(id, at) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    const span = { kind: asked.kind, from: asked.from, to: Math.max(at, asked.from), label: asked.title };
    if (asked.step) this.#row(asked.step).push(span);
    else this.waits.push(span);
  }

  #resume(at) {
    if (this.#pausedAt !== null) this.waits.push({ kind: "paused", from: this.#pausedAt, to: at, label: "Paused" });
    this.#pausedAt = null;
  }

  #row(step) {
    if (!this.spans.has(step)) this.spans.set(step, []);
    return this.spans.get(step);
  }
}
