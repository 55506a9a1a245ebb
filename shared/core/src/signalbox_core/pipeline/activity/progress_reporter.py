"""Turns the `progress()` calls of an activity into heartbeats and progress events."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import msgspec
from temporalio import activity

from signalbox_core.events import CloudEvent, catalogue, full_type
from signalbox_core.ids import derived_id, run_id_of
from signalbox_core.pipeline.activity.partial_text import PartialText
from signalbox_core.pipeline.contract.emitter import SOURCE, Emitter
from signalbox_core.pipeline.contract.step_header import StepCall


class ProgressReporter:
    """Turns the `progress()` calls of one attempt into heartbeats and progress events."""

    def __init__(self, info: activity.Info, call: StepCall, emitter: Emitter, *, is_async: bool) -> None:
        self._info = info
        self._call = call
        self._emitter = emitter
        self._heartbeat = (
            _ignore if info.is_local else self._heartbeat_on_loop if is_async else activity.heartbeat
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._count = 0
        self._attempt = info.attempt
        self._output = PartialText()

    def begin(self) -> None:
        """Reset the partial output of an earlier attempt."""
        if self._info.attempt > 1:
            self.restart(self._info.attempt)

    def restart(self, attempt: int) -> None:
        with self._lock:
            self._attempt = attempt
            self._output.clear()
        if self._call.step is not None:
            self._offer("stream.reset", catalogue.StreamReset(step=self._call.step, attempt=attempt))

    def report(self, done: float, of: float | None, message: str | None, text: str | None) -> None:
        self._heartbeat(done, of)
        self.show(done, of, message, text)

    def show(self, done: float, of: float | None, message: str | None, text: str | None = None) -> None:
        """Send progress to listeners, without a heartbeat."""
        if self._call.step is None:
            return
        # For one of several items only the workflow can compute the step's percentage.
        percent = None if not of or self._call.total > 1 else min(100.0, max(0.0, 100.0 * done / of))
        with self._lock:
            output = self._add(text)
            shown, offset, attempt = (
                output.text or None,
                output.offset if output.text else None,
                self._attempt,
            )
        data = catalogue.StepProgress(
            step=self._call.step, percent=percent, message=message, attempt=attempt, text=shown, offset=offset
        )
        self._offer("step.progress", data)

    def _add(self, piece: str | None) -> PartialText:
        # Each event carries the whole output, so the newest is enough for a late joiner. The outputs of a
        # step's items have no order, so they are not combined.
        if piece and self._call.total <= 1:
            self._output.add(piece)
        return self._output

    def _heartbeat_on_loop(self, *details: Any) -> None:
        # For an async activity the SDK's heartbeat creates a task, so it must run on the loop's thread.
        if threading.get_ident() == self._thread:
            activity.heartbeat(*details)
        else:
            self._loop.call_soon_threadsafe(activity.heartbeat, *details)

    def _offer(self, name: str, data: msgspec.Struct) -> None:
        with self._lock:
            self._count += 1
            number = self._count
        workflow_id = self._info.workflow_id or ""
        run_id = self._call.run_id or run_id_of(workflow_id)
        event = CloudEvent(
            id=derived_id(
                workflow_id,
                self._info.workflow_run_id or "",
                self._info.activity_id,
                str(self._info.attempt),
                str(number),
            ),
            source=SOURCE,
            type=full_type(name),
            time=datetime.now(UTC),
            subject=run_id,
            tenantid=self._call.tenant,
            runid=run_id,
            stepid=self._call.step,
            attempt=self._attempt,
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        self._emitter.offer(event, item=self._call.total > 1)


def _ignore(*_details: Any) -> None:
    """Local activities have no heartbeat."""
