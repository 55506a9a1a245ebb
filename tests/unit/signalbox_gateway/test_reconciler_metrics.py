"""Metrics of the whole deployment: the leader has them, and no other gateway."""

from prometheus_client import CollectorRegistry

from signalbox_gateway.http.metrics import ReconcilerMetrics


def test_every_status_of_a_pipeline_has_a_series_also_without_runs() -> None:
    registry = CollectorRegistry()
    metrics = ReconcilerMetrics(registry)

    metrics.set_runs("echo", {"running": 3, "failed": 1})
    metrics.set_runs("echo", {"running": 2})

    assert _runs(registry) == {
        "running": 2,
        "completed": 0,
        "failed": 0,
        "cancelled": 0,
        "terminated": 0,
        "timed_out": 0,
    }


def test_a_gateway_that_no_longer_leads_has_no_numbers_of_the_deployment() -> None:
    registry = CollectorRegistry()
    metrics = ReconcilerMetrics(registry)
    metrics.set_leading(True)
    metrics.set_runs("echo", {"running": 3})
    metrics.set_approvals(2, 60.0)
    metrics.set_gaps(1)

    metrics.set_leading(False)

    assert _runs(registry) == {}
    names = ("leads", "approvals_pending", "oldest_approval_seconds", "stream_gaps")
    assert [registry.get_sample_value(f"signalbox_gateway_{name}") for name in names] == [0, 0, 0, 0]


def _runs(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.labels["status"]: sample.value
        for family in registry.collect()
        if family.name == "signalbox_gateway_runs"
        for sample in family.samples
    }
