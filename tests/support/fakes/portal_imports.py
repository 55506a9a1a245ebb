"""Imports against the portal simulator: a worker's activities on a real Redis.

The simulator's solver or the test itself answers the captchas.
"""

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any

from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity.loader import Activity, activities_of
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.redis.client import open_redis
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.portal.companies import password_of
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_pipelines.invoice_import.activities import InvoiceActivities
from signalbox_pipelines.invoice_import.contract import ImportInput
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.settings import read_portal_settings
from support.servers.portal import Portal

SECRET = "gdt-portal"
QUICK = {"QUERY_SPACING_MS": "2", "EXPORT_SPACING_MS": "2", "QUERY_TIMEOUT_S": "1", "EXPORT_TIMEOUT_S": "2"}
SOLVER = {"CAPTCHA_SOLVER": "signalbox_devstack.emulators.portal.solver:solve"}


def environ_of(portal: Portal, mst: str, settings: Mapping[str, str]) -> dict[str, str]:
    named = {f"SIGNALBOX_WORKER_PORTAL_{name}": value for name, value in {**QUICK, **settings}.items()}
    return {
        **named,
        "SIGNALBOX_WORKER_PORTAL_URL": portal.url,
        "SIGNALBOX_SECRET__ACME__GDT_PORTAL": password_of(mst),
    }


@contextlib.asynccontextmanager
async def import_activities(
    portal: Portal, redis_url: str, mst: str, *, objects: ObjectStore | None = None, **settings: str
) -> AsyncIterator[Sequence[Activity]]:
    """The activities of a worker that has this company's password.

    Args:
        settings: portal settings, by the upper-case name of the variable without its prefix.
    """
    environ = environ_of(portal, mst, settings)
    client = PortalClient(read_portal_settings(environ))
    redis = open_redis(redis_url)
    deps = ActivityDeps(
        objects=objects or FakeObjectStore(), fetcher=FakeFetcher({}), environ=environ, redis=redis
    )
    try:
        yield activities_of(InvoiceActivities(deps, client))
    finally:
        await client.close()
        await redis.aclose()


def an_import(mst: str, **given: Any) -> ImportInput:
    """July 2026, both directions, unless given otherwise."""
    values: dict[str, Any] = {
        "tax_code": mst,
        "secret_ref": SECRET,
        "first_day": date(2026, 7, 1),
        "last_day": date(2026, 7, 31),
    }
    return ImportInput(**{**values, **given})


def read_picture(address: str) -> str:
    """Read the captcha in a question's evidence, as a person would."""
    return solve(base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).decode())
