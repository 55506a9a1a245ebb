"""A run, its approval, and a client in JavaScript that replaces the gateway for elements and hooks."""

from collections.abc import Mapping

from signalbox_core.pipeline.spec import json_schema
from support.customer.contract import DiscountAnswer

APPROVAL: Mapping[str, object] = {
    "run_id": "run-1", "approval_id": "discount", "title": "Which discount?", "status": "pending",
    "answer_schema": json_schema(DiscountAnswer), "options": ["grant", "refuse"],
    "evidence": {"customer": "Minh"},
    "digest": "d-1", "requested_at": "2026-03-01T09:30:00Z", "deadline_at": None, "decision_id": None,
    "decided_by": None,
}  # fmt: skip
RUN: Mapping[str, object] = {
    "run_id": "run-1", "title": "Discount", "status": "running", "epoch": "e", "sequence": 3, "error": None,
    "steps": [
        {"name": "ask", "title": "Ask", "status": "running", "percent": None, "message": None},
        {"name": "apply", "title": "Apply", "status": "pending", "percent": None, "message": None},
    ],
    "approvals": [APPROVAL],
}  # fmt: skip
# A client that answers from `state`, and watches nothing but what `push` sends.
FAKE = """async ([run, approval]) => {
  const { SignalboxError } = await import("/client/signalbox.js");
  const state = { run, approval, sent: [], watches: [], refusal: null };
  const copy = (value) => JSON.parse(JSON.stringify(value));
  window.state = state;
  window.fake = {
    run: async () => copy(state.run),
    approval: async () => copy(state.approval),
    approvals: async () => [copy(state.approval)],
    watch: (runs, handlers) => {
      state.watches.push(handlers);
      queueMicrotask(() => { handlers.state("live"); handlers.snapshot(copy(state.run)); });
      return { close() { state.watches.splice(state.watches.indexOf(handlers), 1); } };
    },
    decide: async (runId, approvalId, answer, { digest, decisionId }) => {
      state.sent.push({ answer, digest, decisionId });
      if (state.refusal) throw new SignalboxError(state.refusal);
      return { status: "accepted" };
    },
  };
  window.push = (change) => {
    Object.assign(state.approval, change);
    state.run.approvals = [state.approval];
    state.run.sequence += 1;
    for (const handlers of [...state.watches]) handlers.event({ runid: state.run.run_id });
  };
}"""
