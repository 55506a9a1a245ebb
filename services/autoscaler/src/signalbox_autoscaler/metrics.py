"""The autoscaler's Prometheus metrics, in a registry of its own. Queues are few and named by the operator, so each is a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from signalbox_autoscaler.audit.records import Made
from signalbox_autoscaler.model import Action


class Meters:
    """What is counted; gauges hold the last look of each queue while this process leads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.looks = self._counter("looks", "Looks at Temporal")
        self.look_failures = self._counter("look_failures", "Looks after which nothing could be decided")
        self.leads = self._gauge("leads", "1 while this process leads")
        self.policies_ok = self._gauge(
            "policies_ok", "0 while a changed policy file is wrong and the last good one is in force"
        )
        self.without_heartbeats = self._gauge(
            "queues_without_heartbeats", "Task queues that workers poll without sending heartbeats"
        )
        self.decisions = self._counter(
            "decisions",
            "Decisions by action and by the constraint that set the launches",
            "queue",
            "action",
            "binding",
        )
        self.launched = self._counter("launched_workers", "Burst workers that were launched", "queue")
        self.retired = self._counter("retired_workers", "Burst workers told to drain", "queue")
        self.cancelled = self._counter(
            "cancelled_launches", "Launches cancelled: no worker of them ever polled", "queue"
        )
        self.reserved = self._counter(
            "reserved_money", "Money set aside for launches, in the policy's currency", "queue", "currency"
        )
        self.backlog = self._gauge("backlog", "Tasks that wait", "queue", "kind")
        self.backlog_age = self._gauge("backlog_age_seconds", "How long the oldest waits", "queue")
        self.hint = self._gauge(
            "hint_remaining", "Activities that running workflows have still to schedule", "queue"
        )
        self.slots = self._gauge("slots", "Slots by state: capacity, used, pending", "queue", "state")
        self.workers = self._gauge("burst_workers", "Burst workers alive or on their way", "queue")
        self.service = self._gauge("service_seconds", "Seconds that an activity takes", "queue")
        self.drain = self._gauge(
            "predicted_drain_seconds", "When the backlog should be gone; -1: not foreseeable", "queue"
        )
        self.budget_left = self._gauge(
            "budget_left", "What the budget of the hour or day still allows", "queue", "period"
        )

    def decided(self, made: Made) -> None:
        """Count one decision, and show what it was made from."""
        queue, decision, terms, snapshot = (
            made.snapshot.queue,
            made.decision,
            made.decision.terms,
            made.snapshot,
        )
        self.decisions.labels(queue, decision.action.value, decision.binding.value).inc()
        if not made.policy.dry_run and decision.action is not Action.HOLD:
            self.launched.labels(queue).inc(decision.workers)
            self.retired.labels(queue).inc(len(decision.retire))
            self.cancelled.labels(queue).inc(len(decision.cancel))
            self.reserved.labels(queue, made.policy.currency).inc(float(terms.reserve))
        self.backlog.labels(queue, "activity").set(snapshot.activities)
        self.backlog.labels(queue, "workflow").set(snapshot.workflow_tasks)
        self.backlog_age.labels(queue).set(snapshot.oldest_s)
        self.hint.labels(queue).set(terms.hint)
        for state, slots in (("capacity", terms.capacity), ("used", terms.used), ("pending", terms.pending)):
            self.slots.labels(queue, state).set(slots)
        self.workers.labels(queue).set(terms.workers)
        self.service.labels(queue).set(terms.service_s)
        self.drain.labels(queue).set(-1 if decision.predicted_drain_s is None else decision.predicted_drain_s)
        for period, left in (("hour", snapshot.hour_left), ("day", snapshot.day_left)):
            if left is not None:
                self.budget_left.labels(queue, period).set(float(left))

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"signalbox_autoscaler_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"signalbox_autoscaler_{name}", meaning, labels, registry=self.registry)
