"""The dashboards and alert rules against what the services of a running stack really serve."""

import contextlib
import json
import re
from contextlib import aclosing
from pathlib import Path

import httpx2
import pytest

from signalbox_client import AsyncSignalbox
from support.assertions.eventually import eventually
from support.docs.rules import alerts, dashboard_queries, metrics_of
from support.servers.prometheus import PROMETHEUS, running_prometheus
from support.servers.stack import RunningStack

TEXT = "The canal carries rice to the port. Every morning forty boats wait at the lock for the tide."
LAZY = re.compile(r"temporal_\w+_failure_total|up")
"""Metrics of Temporal's SDK that it creates with the first failure; and Prometheus's own."""


def addresses(stack: RunningStack) -> dict[str, list[str]]:
    """`host:port` of /metrics by job, as in compose/observability/prometheus.yaml."""
    states = json.loads((stack.folder / "status.json").read_bytes())
    jobs = {
        "gateway": "gateway",
        "webhook-receiver": "receiver",
        "autoscaler": "autoscaler",
        "worker": "worker",
    }
    return {
        job: [
            state["address"].removeprefix("http://").partition("/")[0]
            for state in states
            if state["name"].rstrip("-0123456789") == part
        ]
        for job, part in jobs.items()
    }


async def run_and_watch(client: AsyncSignalbox) -> None:
    """A run with an open stream."""
    run_id = (await client.start("ai_task", {"task": "summarise", "text": TEXT, "sentences": 1})).run_id
    async with aclosing(client.watch(run_id)) as updates:
        async for update in updates:
            if update.has_ended:
                break
    await client.run(run_id)


async def exposed(targets: dict[str, list[str]]) -> dict[str, str]:
    """The type of each metric that the services serve."""
    found: dict[str, str] = {}
    async with httpx2.AsyncClient(trust_env=False) as client:
        for address in [address for listed in targets.values() for address in listed]:
            text = (await client.get(f"http://{address}/metrics", timeout=30)).text
            found |= dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    return found


@pytest.mark.timeout(400)
async def test_every_metric_of_a_dashboard_or_alert_is_served(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    targets = addresses(stack)
    await run_and_watch(client)
    queries = [*(panel.query for panel in dashboard_queries()), *(alert["expr"] for alert in alerts())]
    named = set[str]().union(*(metrics_of(query) for query in queries))
    missing = {name for name in named if not LAZY.fullmatch(name)}

    async def all_are_served() -> bool:
        missing.difference_update(await exposed(targets))
        return not missing

    with contextlib.suppress(AssertionError):
        await eventually(all_are_served, within_s=120, every_s=1)
    assert missing == set()


@pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed (apt-get install prometheus)")
@pytest.mark.timeout(400)
async def test_every_query_of_a_dashboard_has_data_and_every_rule_is_healthy(
    stack: RunningStack, client: AsyncSignalbox, tmp_path: Path
) -> None:
    with running_prometheus(tmp_path, addresses(stack)) as prometheus:
        await eventually(prometheus.is_ready, within_s=60)
        await run_and_watch(client)
        empty = {panel.query: panel.panel for panel in dashboard_queries() if not panel.is_quiet}

        async def all_have_data() -> bool:
            for query in list(empty):
                if await prometheus.query(query):
                    del empty[query]
            return not empty

        with contextlib.suppress(AssertionError):
            await eventually(all_have_data, within_s=180, every_s=1)
        assert empty == {}
        for panel in dashboard_queries():
            await prometheus.query(panel.query)
        healthy = {rule["name"]: rule["health"] for rule in await prometheus.rules()}

    assert set(healthy.values()) == {"ok"}
    assert {alert["alert"] for alert in alerts()} <= healthy.keys()
