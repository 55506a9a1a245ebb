"""Python client of the gateway (`Signalbox`, `AsyncSignalbox` for asyncio) and the `signalbox` command."""

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.models import Approval, Artifact, BulkOutcome, Decided, Pipeline, Run, RunItem, Started
from signalbox_client.run_pipeline import Progress
from signalbox_client.stream_follower import Update
from signalbox_client.synchronous import Signalbox

__all__ = [
    "Approval",
    "Artifact",
    "AsyncSignalbox",
    "BulkOutcome",
    "Decided",
    "Pipeline",
    "Progress",
    "Run",
    "RunItem",
    "Signalbox",
    "Started",
    "Update",
]
