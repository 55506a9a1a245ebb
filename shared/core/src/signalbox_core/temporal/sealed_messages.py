"""Detects messages that are not encrypted, or encrypted for another tenant, where a worker has payload keys.

A payload codec gets payloads without their purpose, and a workflow interceptor gets decoded values without
their encoding. The workflow runner in between marks such messages of a workflow task with a header, and the
interceptor of runs decides whether to accept them.
"""

from typing import Any, Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from signalbox_core.temporal.claim_check import sealing_of
from signalbox_core.temporal.codec import FOREIGN_MARK, PLAIN_MARK
from signalbox_core.temporal.names import HEADER_FOREIGN, HEADER_UNSEALED

_MARK: Final = Payload(metadata={"encoding": b"binary/null"})


def mark_unsealed_messages(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """Wrap `runner` so that it marks unencrypted signals and updates with `HEADER_UNSEALED`.

    Signals, updates and starts that are encrypted for another tenant get `HEADER_FOREIGN`. A message without
    an argument counts as unencrypted, because it has nothing to encrypt. Without payload keys in `converter`,
    the runner is returned as it is.
    """
    return _MarkingRunner(runner) if sealing_of(converter.payload_codec) is not None else runner


class _MarkingRunner(WorkflowRunner):
    def __init__(self, runner: WorkflowRunner) -> None:
        self._runner = runner

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _MarkingInstance(self._runner.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class _MarkingInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: Any) -> Any:
        for job in act.jobs:
            if job.HasField("initialize_workflow"):
                _mark_foreign(job.initialize_workflow, job.initialize_workflow.arguments)
            elif job.HasField("signal_workflow"):
                _mark(job.signal_workflow, job.signal_workflow.input)
            elif job.HasField("do_update"):
                _mark(job.do_update, job.do_update.input)
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


def _mark_foreign(message: Any, arguments: Any) -> None:
    if any(FOREIGN_MARK in payload.metadata for payload in arguments):
        message.headers[HEADER_FOREIGN].CopyFrom(_MARK)


def _mark(message: Any, arguments: Any) -> None:
    _mark_foreign(message, arguments)
    if not arguments or any(PLAIN_MARK in payload.metadata for payload in arguments):
        message.headers[HEADER_UNSEALED].CopyFrom(_MARK)
