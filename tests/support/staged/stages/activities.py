"""The work of the stages pipeline: a line in a file for every completed call."""

import asyncio
from pathlib import Path

from msgspec import Struct
from temporalio import activity

from signalbox_core.errors import Rejected
from signalbox_core.ids import run_id_of


class StageCall(Struct, frozen=True, kw_only=True):
    folder: str
    step: str
    item: int
    fails: bool
    seconds: float


@activity.defn(name="stages.work")
async def work(call: StageCall) -> str:
    """Do one piece of work. Not idempotent on purpose: every completed call leaves a line."""
    await asyncio.sleep(call.seconds)
    if call.fails and (Path(call.folder) / "broken").exists():
        raise Rejected(f"{call.step} is broken; remove the file", code="broken")
    with (Path(call.folder) / (run_id_of(activity.info().workflow_id or ""))).open("a") as lines:
        lines.write(f"{call.step}-{call.item}\n")
    return f"{call.step}-{call.item}"
