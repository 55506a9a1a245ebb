"""The autoscaler's Prometheus metrics. Task queues are few, so the queue is a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from signalbox_autoscaler.audit.records import Evaluation
from signalbox_autoscaler.model import ScalingAction
from signalbox_core.http.process_metrics import register_process_metrics


class AutoscalerMetrics:
    """The metrics and their registry. Per-queue metrics are updated only while this process leads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        register_process_metrics(self.registry, "autoscaler")
        self.looks = self._counter("looks", "Ticks of the control loop")
        self.look_failures = self._counter("look_failures", "Ticks in which nothing could be decided")
        self.leads = self._gauge("leads", "1 while this process leads")
        self.policies_ok = self._gauge(
            "policies_ok",
            "0 while the policy file is invalid and its last valid version is in force, or a queue has no"
            " valid policy",
        )
        self.without_heartbeats = self._gauge(
            "queues_without_heartbeats", "Task queues that workers poll without sending heartbeats"
        )
        self.decisions = self._counter(
            "decisions",
            "Decisions by action and by the constraint that determined the launches",
            "queue",
            "action",
            "binding",
        )
        self.launched = self._counter("launched_workers", "Burst workers launched", "queue")
        self.retired = self._counter("retired_workers", "Burst workers requested to drain", "queue")
        self.cancelled = self._counter(
            "cancelled_launches", "Launches cancelled because they produced no worker", "queue"
        )
        self.reserved = self._counter(
            "reserved_money", "Money reserved for launches, in the policy's currency", "queue", "currency"
        )
        self.backlog = self._gauge("backlog", "Waiting tasks", "queue", "kind")
        self.backlog_age = self._gauge(
            "backlog_age_seconds", "Age of the oldest waiting activity task", "queue"
        )
        self.hint = self._gauge(
            "hint_remaining", "Activities that running workflows have yet to schedule", "queue"
        )
        self.slots = self._gauge("slots", "Slots by state: capacity, used, pending", "queue", "state")
        self.workers = self._gauge("burst_workers", "Burst workers alive or starting", "queue")
        self.service = self._gauge("service_seconds", "Duration of one activity", "queue")
        self.drain = self._gauge(
            "predicted_drain_seconds", "Predicted time until the backlog is drained; -1: unknown", "queue"
        )
        self.budget_left = self._gauge(
            "budget_left", "What remains of the budget of the hour or day", "queue", "period"
        )

    def record_evaluation(self, evaluation: Evaluation) -> None:
        """Count one decision, and set the queue's gauges to its inputs."""
        snapshot, decision = evaluation.snapshot, evaluation.decision
        queue, inputs = snapshot.queue, decision.terms
        self.decisions.labels(queue, decision.action.value, decision.binding.value).inc()
        if not evaluation.policy.dry_run and decision.action is not ScalingAction.HOLD:
            self.launched.labels(queue).inc(decision.workers)
            self.retired.labels(queue).inc(len(decision.retire))
            self.cancelled.labels(queue).inc(len(decision.cancel))
            self.reserved.labels(queue, evaluation.policy.currency).inc(float(inputs.reserve))
        self.backlog.labels(queue, "activity").set(snapshot.activities)
        self.backlog.labels(queue, "workflow").set(snapshot.workflow_tasks)
        self.backlog_age.labels(queue).set(snapshot.oldest_s)
        self.hint.labels(queue).set(inputs.hint)
        self.slots.labels(queue, "capacity").set(inputs.capacity)
        self.slots.labels(queue, "used").set(inputs.used)
        self.slots.labels(queue, "pending").set(inputs.pending)
        self.workers.labels(queue).set(inputs.workers)
        self.service.labels(queue).set(inputs.service_s)
        self.drain.labels(queue).set(-1 if decision.predicted_drain_s is None else decision.predicted_drain_s)
        for period, left in (("hour", snapshot.hour_left), ("day", snapshot.day_left)):
            if left is not None:
                self.budget_left.labels(queue, period).set(float(left))

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"signalbox_autoscaler_{name}", description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(f"signalbox_autoscaler_{name}", description, labels, registry=self.registry)
