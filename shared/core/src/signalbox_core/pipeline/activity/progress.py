"""What an activity's author uses: `progress(...)` while it works, `@emit_on_complete(...)` for what it did."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

F = TypeVar("F", bound=Callable[..., Any])

_EMISSIONS: Final = "__signalbox_emissions__"


class ProgressTarget(Protocol):
    """Where the activity under way reports to."""

    def report(self, done: float, of: float | None, message: str | None, text: str | None) -> None: ...

    def restart(self, attempt: int) -> None: ...


current_target: Final[ContextVar[ProgressTarget | None]] = ContextVar("signalbox_progress", default=None)
"""Set by the worker's interceptor around each activity."""


def progress(
    done: float, of: float | None = None, *, message: str | None = None, text: str | None = None
) -> None:
    """Say how far the activity is; listeners see it within milliseconds, and the server gets a heartbeat.

    Call it as often as you like, from async code or a thread: it never waits, and at most 10 a second are sent (the latest wins).
    Outside a worker it does nothing, so an activity can be called like any function.

    Args:
        done: how many of `of`; without `of` the percentage is unknown. Of a `step.map` the workflow counts the items itself.
        message: a short line for people.
        text: what was *added* to the partial output since the last call. Listeners get the whole so far, at most its last 32 kB.
    """
    target = current_target.get()
    if target is not None:
        target.report(done, of, message, text)


def restart_output(attempt: int) -> None:
    """Say that the partial output starts again (`stream.reset`). A retry by Temporal says so by itself; this is for another try that
    the pipeline makes: a second call, a second engine."""
    target = current_target.get()
    if target is not None:
        target.restart(attempt)


class Emission(Struct, frozen=True, kw_only=True):
    """One domain event to send when the activity has done its work."""

    name: str
    payload: Callable[..., Struct | None] | None
    compact: bool


def emit_on_complete(
    event_name: str, payload: Callable[..., Struct | None] | None = None, *, compact: bool = False
) -> Callable[[F], F]:
    """Send a domain event when the activity returns, *before* it is reported complete.

    If the receiver refuses or is away the activity fails and is retried, so the event is never lost; its id is derived from
    run, activity and name, so it is never doubled. It has no sequence number: it goes to the `domain-events` topic and live
    listeners, not into the run's stream (`run.emit` does that).

    Args:
        event_name: short and dotted, `ad.rendered`.
        payload: `(argument, result) -> Struct`, or None when there is nothing to tell; without it the result itself, a Struct.
        compact: leave out members that are null or empty; for events that many consumers keep.
    """

    def mark(function: F) -> F:
        setattr(
            function,
            _EMISSIONS,
            (*emissions_of(function), Emission(name=event_name, payload=payload, compact=compact)),
        )
        return function

    return mark


def emissions_of(function: Callable[..., Any]) -> tuple[Emission, ...]:
    return getattr(function, _EMISSIONS, ())


def payload_of(emission: Emission, argument: object, result: object) -> msgspec.Raw | None:
    """The event's data as JSON; None for no event."""
    value = emission.payload(argument, result) if emission.payload is not None else result
    if value is None and emission.payload is not None:
        return None
    if not isinstance(value, Struct):
        raise TypeError(
            f"event {emission.name} needs a Struct, not {type(value).__name__}: give emit_on_complete a payload function"
        )
    body = msgspec.json.encode(value)
    if emission.compact:
        body = msgspec.json.encode(_without_empty(msgspec.json.decode(body)))
    return msgspec.Raw(body)


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_empty(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, "", [], {})}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value
