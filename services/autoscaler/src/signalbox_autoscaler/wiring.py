"""Composition of the autoscaler: opens and closes its clients, provider, lease and executor in order."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from signalbox_autoscaler.actuate.executor import DecisionExecutor
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.loop import Components
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.observe.observer import Observer
from signalbox_autoscaler.observe.temporal_metrics import TemporalMetrics
from signalbox_autoscaler.policies import DryRunPolicies, FixedPolicies, PolicyFile, PolicySource
from signalbox_autoscaler.providers.factory import create_provider
from signalbox_autoscaler.settings import Settings
from signalbox_core.objects import open_object_store
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.temporal import connect

REQUESTS_TIMEOUT_S: Final = 20.0


@contextlib.asynccontextmanager
async def open_components(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Components]:
    """Connect to the backends and build the components of the loop.

    On exit, pending requests are awaited and the lease is released, so that another autoscaler can lead at
    once.

    Raises:
        InvalidInput: a setting, the policy file or the provider's template is invalid.
        Unavailable: Temporal is unavailable.
    """
    policies: PolicySource = PolicyFile(Path(settings.policies)) if settings.policies else FixedPolicies({})
    if settings.provider == "none":
        policies = DryRunPolicies(policies)
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.redis_url.reveal())
        stack.push_async_callback(redis.aclose)
        provider = create_provider(settings, environ)
        stack.push_async_callback(provider.aclose)
        client = await connect(settings.temporal_address, settings.temporal_namespace)
        lease = Lease(redis, LEASE_KEYS, ttl=timedelta(seconds=settings.lease_s))
        stack.push_async_callback(lease.release)
        ledger = LaunchLedger(redis, lease)
        executor = DecisionExecutor(provider, ledger, lease, redis)
        stack.push_async_callback(executor.finish_requests, REQUESTS_TIMEOUT_S)
        objects = open_object_store(settings.objects_url) if settings.objects_url else None
        yield Components(
            observer=Observer(TemporalMetrics(client), redis, settings.task_queues),
            policies=policies,
            provider=provider,
            lease=lease,
            ledger=ledger,
            executor=executor,
            decision_log=DecisionLog(redis, objects),
            metrics=AutoscalerMetrics(),
        )
