"""Detects messages that are not encrypted, or encrypted for another tenant, where a worker has payload keys.

A payload codec gets payloads without their purpose, and a workflow interceptor gets decoded values without
their encoding. The workflow runner in between marks such messages of a workflow task with a header, and the
interceptor of runs decides whether to accept them.
"""

from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter
from temporalio.worker import WorkflowRunner

from signalbox_core.temporal.claim_check import sealing_of
from signalbox_core.temporal.codec import FOREIGN_MARK, PLAIN_MARK
from signalbox_core.temporal.names import HEADER_FOREIGN, HEADER_UNSEALED
from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner

_MARK: Final = Payload(metadata={"encoding": b"binary/null"})


def mark_unsealed_messages(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """Wrap `runner` so that it marks unencrypted signals and updates with `HEADER_UNSEALED`.

    Signals, updates and starts that are encrypted for another tenant get `HEADER_FOREIGN`. A message without
    an argument counts as unencrypted, because it has nothing to encrypt. Without payload keys in `converter`,
    the runner is returned as it is.
    """
    if sealing_of(converter.payload_codec) is None:
        return runner
    return WrappedRunner(runner, lambda instance, _: _MarkingInstance(instance))


class _MarkingInstance(WrappedInstance):
    def activate(self, act: Any) -> Any:
        for job in act.jobs:
            if job.HasField("initialize_workflow"):
                _mark_foreign(job.initialize_workflow, job.initialize_workflow.arguments)
            elif job.HasField("signal_workflow"):
                _mark(job.signal_workflow, job.signal_workflow.input)
            elif job.HasField("do_update"):
                _mark(job.do_update, job.do_update.input)
        return super().activate(act)


def _mark_foreign(message: Any, arguments: Any) -> None:
    if any(FOREIGN_MARK in payload.metadata for payload in arguments):
        message.headers[HEADER_FOREIGN].CopyFrom(_MARK)


def _mark(message: Any, arguments: Any) -> None:
    _mark_foreign(message, arguments)
    if not arguments or any(PLAIN_MARK in payload.metadata for payload in arguments):
        message.headers[HEADER_UNSEALED].CopyFrom(_MARK)
