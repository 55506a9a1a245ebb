"""A worker of the echo pipeline, which asks questions and has no other activities."""

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.pipeline.workflow.scheduled_start import ScheduledStartWorkflow
from signalbox_core.testing.emitter import FakeEmitter
from support.fakes.echo_pipeline import Echo


def echo_worker(client: Client) -> Worker:
    return Worker(
        client,
        task_queue="echo",
        workflows=[Echo, ScheduledStartWorkflow],
        activities=[QuestionActivities(FakeEmitter()).record],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
