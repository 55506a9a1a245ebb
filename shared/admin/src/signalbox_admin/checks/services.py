"""Running services: their readiness, and their clocks."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import msgspec

from signalbox_admin.checks.clock import assess_clock
from signalbox_admin.checks.findings import Finding, Reporter

_TIMEOUT_S: Final = 10.0
_READY: Final = 200
_FLAGS: Final = {
    "temporal_available": "Temporal does not respond",
    "polling": "a task queue is not polled",
    "computing": "the processes for CPU-heavy steps make no progress",
    "receiver_available": "the receiver does not respond",
}
"""Members that are false while something is wrong; `leads` of an autoscaler is not one of them."""
_STATES: Final = ("redis", "keys")


async def check_services(addresses: Sequence[str]) -> list[Finding]:
    async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
        found = await asyncio.gather(*(_check(client, address) for address in addresses))
    return [finding for findings in found for finding in findings]


def assess_readiness(report: Reporter, status: int, body: bytes) -> Finding:
    """Assess the response to /readyz."""
    try:
        reply = msgspec.json.decode(body)
    except msgspec.DecodeError:
        reply = None
    if not isinstance(reply, dict):
        return report.error(
            f"/readyz returned {status} and no JSON", "check that this is the address of a Signalbox service"
        )
    problems = _problems(reply)
    if status != _READY:
        return report.error(f"is not ready: {problems or status}", "fix the reported problems; see its log")
    if problems:
        return report.warning(f"is ready but degraded: {problems}", "fix the reported problems; see its log")
    return report.ok("is ready")


def skew_s(sent: str | None, now: datetime) -> float | None:
    """How far the clock of a `Date` header is ahead; None without a valid header."""
    try:
        return (parsedate_to_datetime(sent or "") - now).total_seconds()
    except (ValueError, TypeError):
        return None


async def _check(client: httpx2.AsyncClient, address: str) -> list[Finding]:
    report = Reporter(address)
    try:
        reply = await client.get(f"{address.rstrip('/')}/readyz")
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return [
            report.error(
                f"does not respond: {type(error).__name__}",
                "check the address, and that the service runs; see its log",
            )
        ]
    skew = skew_s(reply.headers.get("date"), datetime.now(UTC))
    return [
        assess_readiness(report, reply.status_code, reply.content),
        *([assess_clock(report, skew)] if skew is not None else []),
    ]


def _problems(reply: Mapping[str, Any]) -> str:
    """What is wrong, of the reply of any service: each names it in members of its own."""
    dependencies, warnings = reply.get("dependencies"), reply.get("warnings")
    found = [
        *(meaning for name, meaning in _FLAGS.items() if reply.get(name) is False),
        *(f"{name}: {reply[name]}" for name in _STATES if reply.get(name, "ok") != "ok"),
        *(_unavailable(dependencies) if isinstance(dependencies, dict) else ()),
        *(str(warning) for warning in (warnings if isinstance(warnings, list) else ())),
        *([str(reply["problem"])] if reply.get("problem") else ()),
    ]
    if not found and reply.get("status") not in (None, "ready"):
        return f"status {reply['status']}"
    return "; ".join(found)


def _unavailable(dependencies: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {state.get('detail') or 'does not respond'}"
        for name, state in dependencies.items()
        if isinstance(state, dict) and not state.get("ok", True)
    ]
