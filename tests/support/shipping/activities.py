"""The work of `shipping`."""

import asyncio
from pathlib import Path

from temporalio import activity

from signalbox_core.ids import run_id_of
from signalbox_core.pipeline import Callback
from signalbox_core.pipeline.deps import ActivityDeps

CALLBACKS_FOLDER = "SHIPPING_CALLBACKS_FOLDER"


@activity.defn(name="shipping.file_parcel")
async def file_parcel(parcel: str) -> str:
    """Return the parcel's number. Idempotent: pure."""
    return parcel


@activity.defn(name="shipping.announce_parcel")
async def announce_parcel(callback: Callback) -> None:
    """Give the carrier a URL to call back; the worker's implementation is `Carrier`."""
    raise NotImplementedError(callback.wait_id)


class Carrier:
    """Hands out the URL of a callback as a file that is named after the run."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name="shipping.announce_parcel")
    async def announce_parcel(self, callback: Callback) -> None:
        """Write the URL. Idempotent by the run: a later URL of the callback replaces an earlier one."""
        file = Path(self._deps.environ[CALLBACKS_FOLDER]) / run_id_of(callback.workflow_id)
        await asyncio.to_thread(file.write_text, self._deps.callback_url(callback))


def all_activities(deps: ActivityDeps) -> list[object]:
    return [file_parcel, Carrier(deps).announce_parcel]
