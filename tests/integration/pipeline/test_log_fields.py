"""Lines that workflow and activity code logs name the run and the tenant, also those of other loggers."""

import io
import json
import logging
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.ids import run_key
from signalbox_core.logs import JsonFormatter
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.run import Run
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
from signalbox_core.process.service import run_fields
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.testing.pipeline import FakeEmitter
from support.sample.contract import SPEC

LIBRARY = logging.getLogger("signalbox_test.library")


@activity.defn(name="log_fields.work")
def work() -> None:
    """In a thread, with a logger that does not know of activities."""
    LIBRARY.warning("working in a thread")


@workflow.defn(name="log_fields.run")
class Logging:
    @workflow.init
    def __init__(self) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self) -> None:
        async with self.signalbox:
            workflow.logger.warning("in the workflow")
            await workflow.execute_activity(work, start_to_close_timeout=timedelta(seconds=60))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("worker", run_fields))
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


async def test_lines_of_workflow_and_activity_name_the_run(client: Client, lines: io.StringIO) -> None:
    queue, run_id, emitter = f"logs-{uuid.uuid4().hex[:8]}", f"run-{uuid.uuid4().hex[:8]}", FakeEmitter()
    with ThreadPoolExecutor(2) as threads:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Logging, OutboxWorkflow],
            activities=[work, DeliverActivities(emitter).deliver],
            activity_executor=threads,
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[RunInterceptor(emitter.offer), ActivityInterceptor(emitter)],
        ):
            key = run_key("acme", run_id)
            await client.execute_workflow(Logging.run, id=key, task_queue=queue, memo={MEMO_TENANT: "acme"})

    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    ours = {line["message"].partition(" (")[0]: line for line in written if line.get("run_id") == run_id}
    assert {(name, line["tenant"]) for name, line in ours.items()} >= {
        ("in the workflow", "acme"),
        ("working in a thread", "acme"),
    }
    assert ours["working in a thread"]["activity"] == "log_fields.work"
    assert ours["working in a thread"]["attempt"] == 1
