"""Temporal: the version, the namespace, its retention, search attributes and worker heartbeats."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from signalbox_admin.checks.deployments import check_deployments
from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from temporalio.client import Client

_OLDEST: Final = (1, 31)
_SHORT_RETENTION: Final = timedelta(days=3)
_CALL_TIMEOUT: Final = timedelta(seconds=10)
_REPORT: Final = Reporter("Temporal")
_SWITCHES: Final = (
    "set frontend.WorkerHeartbeatsEnabled and frontend.ListWorkersEnabled in its dynamic configuration"
)


async def check_temporal(address: str | None, namespace: str | None) -> list[Finding]:
    from temporalio.service import RPCError

    from signalbox_core.temporal.client import connect

    try:
        client = await connect(address, namespace)
    except InvalidInput as error:
        return [_REPORT.skipped(error.detail)]
    except Unavailable as error:
        return [_REPORT.error(error.detail, "check TEMPORAL_ADDRESS, the network and the server")]
    try:
        return [
            await _version(client),
            *await _namespace(client),
            await _search_attributes(client),
            *await check_deployments(client),
        ]
    except RPCError as error:
        return [_unusable_namespace(client.namespace, error)]


def assess_version(version: str) -> Finding:
    """Assess the version of the server."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        return _REPORT.ok(f"server {version}")
    if (int(found[1]), int(found[2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return _REPORT.error(
            f"server {version} is older than {oldest}: the autoscaler cannot see how busy workers are",
            f"upgrade the Temporal server to {oldest} or newer",
        )
    return _REPORT.ok(f"server {version}")


def assess_namespace(name: str, retention: timedelta, *, has_heartbeats: bool) -> list[Finding]:
    """Assess a namespace."""
    kept = f"{retention / timedelta(days=1):g} d"
    findings = [
        _REPORT.warning(
            f"namespace {name} keeps closed runs for {kept}; later results and inputs are gone",
            f"temporal operator namespace update --retention 30d -n {name}",
        )
        if retention < _SHORT_RETENTION
        else _REPORT.ok(f"namespace {name} keeps closed runs for {kept}")
    ]
    if not has_heartbeats:
        findings.append(
            _REPORT.error(
                "worker heartbeats are off: the autoscaler neither launches nor retires workers", _SWITCHES
            )
        )
    return findings


def assess_search_attributes(missing: Sequence[str]) -> Finding:
    """Assess the search attributes of a namespace."""
    if missing:
        return _REPORT.error(
            f"search attributes are missing: {', '.join(missing)}; runs can be neither started nor listed",
            "signalbox-admin provision",
        )
    return _REPORT.ok("search attributes are registered")


async def _version(client: "Client") -> Finding:
    from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

    info = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_CALL_TIMEOUT)
    return assess_version(info.server_version)


async def _namespace(client: "Client") -> list[Finding]:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=_CALL_TIMEOUT
    )
    retention = described.config.workflow_execution_retention_ttl.ToTimedelta()
    has_heartbeats = described.namespace_info.capabilities.worker_heartbeats
    return assess_namespace(client.namespace, retention, has_heartbeats=has_heartbeats)


async def _search_attributes(client: "Client") -> Finding:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    from signalbox_core.temporal.names import SEARCH_ATTRIBUTES

    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=_CALL_TIMEOUT
    )
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in listed.custom_attributes]
    return assess_search_attributes(missing)


def _unusable_namespace(name: str, error: Exception) -> Finding:
    return _REPORT.error(
        f"namespace {name}: {error}",
        f"check TEMPORAL_NAMESPACE and the credentials, or: temporal operator namespace create -n {name}",
    )
