"""Stored payloads in a folder, old and young, and the command that sweeps them."""

import asyncio
import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue

from signalbox_admin.cli import main as admin
from signalbox_core.temporal.claim_check import ENCODING, ClaimCheck
from signalbox_core.temporal.codec import Payload
from support.assertions.eventually import eventually

_AGE_S = 400 * 86_400


def plant(folder: Path, workflow: str, *, tenant: str = "acme") -> str:
    """A stored payload in the folder of a workflow; its key."""
    body = uuid.uuid4().bytes
    key = f"payloads/{tenant}/{workflow}/{hashlib.sha256(body).hexdigest()}"
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(body)
    return key


def claim(key: str) -> RawValue:
    """What Temporal holds in the place of the payload."""
    data = msgspec.json.encode(ClaimCheck(key=key, size_bytes=16))
    return RawValue(Payload(metadata={"encoding": ENCODING}, data=data))


def keys_in(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def age(folder: Path) -> None:
    """Make all payloads older than any retention."""
    for key in keys_in(folder):
        os.utime(folder / key, (time.time() - _AGE_S, time.time() - _AGE_S))


async def forget(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """End the workflow and its retention: Temporal deletes it."""
    await handle.terminate()
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=handle.id)
    )
    await client.workflow_service.delete_workflow_execution(request)

    async def is_gone() -> bool:
        return (await client.count_workflows(f"WorkflowId = '{handle.id}'")).count == 0

    await eventually(is_gone, within_s=60, every_s=0.2)


async def sweep(folder: Path, *arguments: str) -> int:
    return await asyncio.to_thread(admin, ["objects", "sweep", "--objects", f"file://{folder}", *arguments])
