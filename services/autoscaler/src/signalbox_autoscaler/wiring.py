"""The autoscaler's composition: clients, provider, lease and loop, opened and closed in order."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from signalbox_autoscaler.actuate.actor import Actor
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, Book
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.loop import Parts
from signalbox_autoscaler.metrics import Meters
from signalbox_autoscaler.observe.observer import Observer
from signalbox_autoscaler.observe.temporal_metrics import TemporalEye
from signalbox_autoscaler.policies import DryPolicies, FixedPolicies, Policies, PolicyFile
from signalbox_autoscaler.providers.factory import choose
from signalbox_autoscaler.providers.none import NoProvider
from signalbox_autoscaler.settings import Settings
from signalbox_core.objects import open_object_store
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.temporal import connect

FINISH_WITHIN_S: Final = 20.0


@contextlib.asynccontextmanager
async def open_parts(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Parts]:
    """Connect; nothing is looked at yet. At the end requests under way are waited for, and the next one may lead at once.

    Raises:
        InvalidInput: a setting, the policies or the provider's template is wrong.
        Unavailable: Temporal does not answer.
    """
    policies: Policies = PolicyFile(Path(settings.policies)) if settings.policies else FixedPolicies({})
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.redis_url.reveal())
        stack.push_async_callback(redis.aclose)
        provider = choose(settings, environ)
        if provider is None:
            provider, policies = NoProvider(), DryPolicies(policies)
        stack.push_async_callback(provider.aclose)
        client = await connect(settings.temporal_address, settings.temporal_namespace)
        lease = Lease(redis, LEASE_KEYS, ttl=timedelta(seconds=settings.lease_s))
        stack.push_async_callback(lease.release)
        book = Book(redis, lease)
        actor = Actor(provider, book, lease, redis)
        stack.push_async_callback(actor.finish, FINISH_WITHIN_S)
        objects = open_object_store(settings.objects_url) if settings.objects_url else None
        yield Parts(
            observer=Observer(TemporalEye(client), redis, settings.task_queues),
            policies=policies,
            provider=provider,
            lease=lease,
            book=book,
            actor=actor,
            decisions=DecisionLog(redis, objects),
            meters=Meters(),
        )
