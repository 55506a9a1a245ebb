"""The endpoints /healthz, /readyz and /metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

from starlette.responses import Response

from signalbox_core.errors import SignalboxError
from signalbox_core.http.health import MetricsText, metrics_response, no_metrics
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import Dependency, Health, Readiness
from signalbox_gateway.http.metrics import Metrics

Probe = Callable[[], Awaitable[bool]]
_PROBE_TIMEOUT_S: Final = 2.0


class HealthHandlers:
    """The handlers of /healthz, /readyz and /metrics."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        metrics: Metrics,
        *,
        needed: frozenset[str] = frozenset({"redis"}),
        warnings: Sequence[str] = (),
        more_metrics: MetricsText = no_metrics,
    ) -> None:
        self._probes = probes
        self._metrics = metrics
        self._needed = needed
        self._warnings = tuple(warnings)
        self._more_metrics = more_metrics
        self._draining = False

    def drain(self) -> None:
        """Report not ready from now on, so that load balancers send new requests elsewhere."""
        self._draining = True

    async def alive(self, _call: ApiCall) -> Response:
        return json_response(Health())

    async def ready(self, _call: ApiCall) -> Response:
        found = await asyncio.gather(*(_probe(probe) for probe in self._probes.values()))
        dependencies = dict(zip(self._probes, found, strict=True))
        if self._draining:
            dependencies["gateway"] = Dependency(ok=False, detail="is shutting down")
        is_ready = not self._draining and all(
            state.ok for name, state in dependencies.items() if name in self._needed
        )
        temporal = dependencies.get("temporal", Dependency(ok=False))
        is_whole = all(state.ok for state in dependencies.values())
        status: Literal["ok", "degraded", "unavailable"] = (
            "unavailable" if not is_ready else "ok" if is_whole else "degraded"
        )
        body = Readiness(
            ready=is_ready,
            status=status,
            temporal_available=temporal.ok,
            dependencies=dependencies,
            warnings=self._warnings,
        )
        return json_response(body, 200 if is_ready else 503)

    async def metrics(self, call: ApiCall) -> Response:
        accept = call.request.headers.get("accept", "")
        return await metrics_response(accept, self._metrics.registry, self._more_metrics)


async def _probe(probe: Probe) -> Dependency:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            ok = await probe()
    except TimeoutError:
        return Dependency(ok=False, detail=f"no response within {_PROBE_TIMEOUT_S:g} s")
    except (SignalboxError, OSError) as error:
        return Dependency(ok=False, detail=str(error)[:200])
    return Dependency(ok=ok, detail="" if ok else "does not respond")
