"""Generate the Grafana dashboards in compose/observability/dashboards; --check only compares."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "compose/observability/dashboards"
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8
_DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_WITH_EXEMPLARS: Final = re.compile("signalbox_(receiver|gateway_(request|start|projection))_seconds_bucket")


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes:
        queries: PromQL by legend; `{{label}}` in a legend is the label's value.
        unit: Grafana's name of the unit.
        is_quiet: the queries have no data until something goes wrong or a certain feature is used.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    is_quiet: bool = False


def _rate(metric: str, *labels: str) -> str:
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} (rate({metric}[$__rate_interval]))"


def _quantile(quantile: float, metric: str, *labels: str, match: str = "") -> str:
    by = ", ".join(["le", *labels])
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket{match}[$__rate_interval])))"


def _quantiles(metric: str, match: str = "") -> dict[str, str]:
    return {f"p{round(at * 100)}": _quantile(at, metric, match=match) for at in (0.5, 0.95, 0.99)}


OVERVIEW: Final = (
    Panel(
        "Time of a start (objective: 99 % below 500 ms)", _quantiles("signalbox_gateway_start_seconds"), "s"
    ),
    Panel(
        "Time to read a run (objective: 99 % below 100 ms)",
        _quantiles("signalbox_gateway_request_seconds", '{route="/v1/runs/{run_id}"}'),
        "s",
    ),
    Panel(
        "Delay of progress (objective: 99 % below 1 s)",
        _quantiles("signalbox_gateway_event_delay_seconds", '{kind="progress"}'),
        "s",
        is_quiet=True,
    ),
    Panel(
        "Share of requests without a server error",
        {"1 h": "signalbox:requests:success_ratio_1h"},
        "percentunit",
    ),
    Panel("Services that can be scraped", {"{{job}}": "sum by (job) (up)"}),
    Panel(
        "Releases that run", {"{{service}} {{version}}": "count by (service, version) (signalbox_build_info)"}
    ),
    Panel("Open runs", {"{{pipeline}}": 'max by (pipeline) (signalbox_gateway_runs{status="running"})'}),
    Panel(
        "Runs ended within the last hour",
        {
            "{{pipeline}} {{status}}": (
                'max by (pipeline, status) (signalbox_gateway_runs{status!="running"})'
            )
        },
    ),
    Panel(
        "Blocked and queued runs",
        {"{{pipeline}} {{code}}": "max by (pipeline, code) (signalbox_gateway_runs_held)"},
        is_quiet=True,
    ),
    Panel("Pending approvals", {"pending": "max(signalbox_gateway_approvals_pending)"}),
    Panel("Age of the oldest approval", {"oldest": "max(signalbox_gateway_oldest_approval_seconds)"}, "s"),
    Panel(
        "Notifications",
        {"{{result}}": _rate("signalbox_gateway_notifications_total", "result")},
        is_quiet=True,
    ),
)

GATEWAY: Final = (
    Panel("Requests by status", {"{{status}}": _rate("signalbox_gateway_requests_total", "status")}, "reqps"),
    Panel(
        "Response time by route (p95)",
        {"{{route}}": _quantile(0.95, "signalbox_gateway_request_seconds", "route")},
        "s",
    ),
    Panel("Open streams", {"{{instance}}": "signalbox_gateway_listeners"}),
    Panel("Watched runs", {"{{instance}}": "signalbox_gateway_watched_runs"}),
    Panel(
        "Streams deferred",
        {"{{reason}}": _rate("signalbox_gateway_streams_deferred_total", "reason")},
        is_quiet=True,
    ),
    Panel(
        "Delay of milestones", _quantiles("signalbox_gateway_event_delay_seconds", '{kind="milestone"}'), "s"
    ),
    Panel("Leader", {"{{instance}}": "signalbox_gateway_leads"}),
    Panel(
        "Rounds of the reconciler",
        {"{{outcome}}": _rate("signalbox_gateway_reconciler_rounds_total", "outcome")},
    ),
    Panel("Streams with a gap", {"gaps": "max(signalbox_gateway_stream_gaps)"}),
    Panel(
        "Repaired streams",
        {"{{kind}}": _rate("signalbox_gateway_stream_repairs_total", "kind")},
        is_quiet=True,
    ),
    Panel("Ledger: age of the oldest event", {"lag": "max(signalbox_gateway_ledger_lag_seconds)"}, "s"),
    Panel(
        "Ledger: entries and failures",
        {
            "entries": _rate("signalbox_gateway_ledger_entries_total"),
            "failures": _rate("signalbox_gateway_ledger_failures_total"),
        },
    ),
)

EVENTS: Final = (
    Panel("Deliveries by outcome", {"{{code}}": _rate("signalbox_receiver_deliveries_total", "code")}),
    Panel("Time of a delivery", _quantiles("signalbox_receiver_seconds"), "s"),
    Panel("Time until Pub/Sub has acknowledged", _quantiles("signalbox_receiver_publish_seconds"), "s"),
    Panel("Accepted events", {"{{kind}}": _rate("signalbox_receiver_events_total", "kind")}),
    Panel(
        "Refused deliveries",
        {"{{reason}}": _rate("signalbox_receiver_refused_total", "reason")},
        is_quiet=True,
    ),
    Panel("Duplicates", {"{{keyid}}": _rate("signalbox_receiver_duplicates_total", "keyid")}, is_quiet=True),
    Panel("Deliveries in progress", {"{{instance}}": "signalbox_receiver_in_flight"}),
    Panel("From publication to projection", _quantiles("signalbox_gateway_projection_seconds"), "s"),
    Panel(
        "Failures of Redis in the receiver",
        {
            "claims: {{step}}": _rate("signalbox_receiver_claim_failures_total", "step"),
            "left to repair: {{step}}": _rate("signalbox_receiver_left_to_repair_total", "step"),
        },
        is_quiet=True,
    ),
    Panel(
        "Keys and clock",
        {
            "rejected keys": _rate("signalbox_receiver_key_failures_total"),
            "clock jumps": _rate("signalbox_receiver_clock_jumps_total"),
        },
    ),
    Panel(
        "Workers: events",
        {
            "delivered": _rate("signalbox_worker_events_delivered_total"),
            "refused": _rate("signalbox_worker_events_refused_total"),
            "failed requests": _rate("signalbox_worker_delivery_failures_total"),
        },
    ),
    Panel(
        "Workers: progress",
        {
            "sent": _rate("signalbox_worker_progress_sent_total"),
            "dropped": _rate("signalbox_worker_progress_dropped_total"),
        },
    ),
)

FLEET: Final = (
    Panel("Backlog", {"{{queue}} {{kind}}": "max by (queue, kind) (signalbox_autoscaler_backlog)"}),
    Panel(
        "Age of the backlog", {"{{queue}}": "max by (queue) (signalbox_autoscaler_backlog_age_seconds)"}, "s"
    ),
    Panel("Slots", {"{{queue}} {{state}}": "max by (queue, state) (signalbox_autoscaler_slots)"}),
    Panel("Burst workers", {"{{queue}}": "max by (queue) (signalbox_autoscaler_burst_workers)"}),
    Panel(
        "Scaling decisions",
        {"{{action}} {{binding}}": _rate("signalbox_autoscaler_decisions_total", "action", "binding")},
    ),
    Panel(
        "Autoscaler: leader, queues without heartbeats",
        {
            "leaders": "sum(signalbox_autoscaler_leads)",
            "without heartbeats": "max(signalbox_autoscaler_queues_without_heartbeats)",
        },
    ),
    Panel(
        "Activities: time to start (p95)",
        {
            "{{task_queue}}": _quantile(
                0.95, "temporal_activity_schedule_to_start_latency_seconds", "task_queue"
            )
        },
        "s",
    ),
    Panel(
        "Activities: duration (p95)",
        {
            "{{activity_type}}": _quantile(
                0.95, "temporal_activity_execution_latency_seconds", "activity_type"
            )
        },
        "s",
    ),
    Panel(
        "Workflow tasks: duration (p95)",
        {"{{task_queue}}": _quantile(0.95, "temporal_workflow_task_execution_latency_seconds", "task_queue")},
        "s",
    ),
    Panel(
        "Calls to Temporal (p95)",
        {"{{operation}}": _quantile(0.95, "temporal_request_latency_seconds", "operation")},
        "s",
    ),
    Panel(
        "Failed calls to Temporal",
        {"{{operation}}": _rate("temporal_request_failure_total", "operation")},
        is_quiet=True,
    ),
    Panel(
        "CPU-heavy calls",
        {"busy": "sum(signalbox_worker_cpu_busy)", "waiting": "sum(signalbox_worker_cpu_waiting)"},
    ),
    Panel("CPU", {"{{job}} {{instance}}": "rate(process_cpu_seconds_total[$__rate_interval])"}),
    Panel("Memory", {"{{job}} {{instance}}": "process_resident_memory_bytes"}, "bytes"),
    Panel("Open files", {"{{job}} {{instance}}": "process_open_fds / process_max_fds"}, "percentunit"),
)

DASHBOARDS: Final[Mapping[str, tuple[str, tuple[Panel, ...]]]] = {
    "overview": ("Signalbox: overview", OVERVIEW),
    "gateway": ("Signalbox: gateway", GATEWAY),
    "events": ("Signalbox: events", EVENTS),
    "fleet": ("Signalbox: workers and fleet", FLEET),
}


def dashboard(name: str) -> dict[str, Any]:
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"signalbox-{name}",
        "title": title,
        "tags": ["signalbox"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": "No data until it happens for the first time." if panel.is_quiet else "",
        "datasource": _DATASOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": _DATASOURCE}
            # Once in a panel: all its queries read the same histogram.
            | ({"exemplar": True} if place == 0 and _WITH_EXEMPLARS.search(query) else {})
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def main() -> int:
    """Return 1 when `--check` is given and a file differs."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {FOLDER / f"{name}.json": json.dumps(dashboard(name), indent=1) + "\n" for name in DASHBOARDS}
    if "--check" not in sys.argv[1:]:
        for path, text in wanted.items():
            path.write_text(text)
        return 0
    different = [
        path.name
        for path in {*wanted, *FOLDER.glob("*.json")}
        if path not in wanted or not path.exists() or path.read_text() != wanted[path]
    ]
    if different:
        print(f"{', '.join(sorted(different))}: run tools/dashboards.py", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
