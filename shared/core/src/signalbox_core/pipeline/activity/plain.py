"""The activity side of the worker plugin: the heartbeats of plain activities as progress of their step."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from signalbox_core.pipeline.activity.progress import current_target
from signalbox_core.pipeline.activity.progress_reporter import ProgressReporter
from signalbox_core.pipeline.activity.tenant import call_tenant
from signalbox_core.pipeline.contract.emitter import Emitter
from signalbox_core.pipeline.contract.step_header import read_step_call

log = logging.getLogger(__name__)
_MAX_MESSAGE_CHARS: Final = 200


class PlainActivityInterceptor(Interceptor):
    """Applies to activities that a workflow with the plugin started; others pass through.

    Args:
        shows_values: whether listeners see texts of heartbeats, or only how much is done.
    """

    def __init__(self, emitter: Emitter, *, shows_values: bool) -> None:
        self._emitter = emitter
        self._shows_values = shows_values

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002
    ) -> ActivityInboundInterceptor:
        return _PlainActivityInbound(next, self._emitter, self._shows_values)


class _PlainActivityInbound(ActivityInboundInterceptor):
    _heartbeats: "_ObservedHeartbeats"

    def __init__(self, following: ActivityInboundInterceptor, emitter: Emitter, shows_values: bool) -> None:
        super().__init__(following)
        self._emitter = emitter
        self._shows_values = shows_values

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._heartbeats = _ObservedHeartbeats(outbound, self._shows_values)
        super().init(self._heartbeats)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        call = read_step_call(input.headers)
        if call is None or call.step is None:
            return await super().execute_activity(input)
        reporter = ProgressReporter(
            activity.info(), call, self._emitter, is_async=inspect.iscoroutinefunction(input.fn)
        )
        reporter.begin()
        self._heartbeats.reporter = reporter
        token, tenant_token = current_target.set(reporter), call_tenant.set(call.tenant)
        try:
            return await super().execute_activity(input)
        finally:
            current_target.reset(token)
            call_tenant.reset(tenant_token)


class _ObservedHeartbeats(ActivityOutboundInterceptor):
    def __init__(self, following: ActivityOutboundInterceptor, shows_values: bool) -> None:
        super().__init__(following)
        self.reporter: ProgressReporter | None = None
        self._shows_values = shows_values

    def heartbeat(self, *details: Any) -> None:
        super().heartbeat(*details)
        try:
            self._show(details)
        except Exception:
            # The activity itself must never fail because it is shown.
            log.exception("heartbeat not shown as progress")

    def _show(self, details: Sequence[object]) -> None:
        found = heartbeat_progress(details)
        if self.reporter is not None and found is not None:
            message = found.message if self._shows_values else None
            self.reporter.show(found.done, found.of, message)


class HeartbeatProgress(Struct, frozen=True, kw_only=True):
    """What a heartbeat states: `done` of `of`, and a line for people."""

    done: float = 0
    of: float | None = None
    message: str | None = None


def heartbeat_progress(details: Sequence[object]) -> HeartbeatProgress | None:
    """Read the progress from the details of a heartbeat; None when they have another form. Pure.

    The forms are `heartbeat(3)`, `heartbeat(3, 10)`, `heartbeat("page 3")`, and an object with any of the
    members `done`, `of`, `percent` and `message`.
    """
    match details:
        case [str() as message]:
            return HeartbeatProgress(message=message[:_MAX_MESSAGE_CHARS])
        case [done] if _is_number(done):
            return HeartbeatProgress(message=f"{done}")
        case [done, of] if _is_ratio(done, of):
            return HeartbeatProgress(done=_number(done), of=_number(of), message=f"{done} of {of}")
        case [Mapping() as members]:
            return _from_members(members)
    return None


def _from_members(members: Mapping[Any, Any]) -> HeartbeatProgress | None:
    message = members.get("message")
    text = message[:_MAX_MESSAGE_CHARS] if isinstance(message, str) else None
    done, of = members.get("done"), members.get("of")
    if _is_ratio(done, of):
        return HeartbeatProgress(done=_number(done), of=_number(of), message=text or f"{done} of {of}")
    percent = members.get("percent")
    if _is_ratio(percent, 100):
        return HeartbeatProgress(done=_number(percent), of=100, message=text)
    return HeartbeatProgress(message=text) if text is not None else None


def _is_ratio(done: object, of: object) -> bool:
    return _is_number(done) and _is_number(of) and 0 <= _number(done) <= _number(of) and _number(of) > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value
