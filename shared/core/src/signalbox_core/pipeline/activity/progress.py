"""For activity authors: `progress(...)` reports progress, `@emit_on_complete(...)` emits a domain event."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

F = TypeVar("F", bound=Callable[..., Any])

_EMISSIONS: Final = "__signalbox_emissions__"


class ProgressTarget(Protocol):
    """Receives the progress of the current activity."""

    def report(self, done: float, of: float | None, message: str | None, text: str | None) -> None: ...

    def restart(self, attempt: int) -> None: ...


current_target: Final[ContextVar[ProgressTarget | None]] = ContextVar("signalbox_progress", default=None)
"""Set by the worker's interceptor around each activity."""


def progress(
    done: float, of: float | None = None, *, message: str | None = None, text: str | None = None
) -> None:
    """Report the activity's progress to listeners, and send a heartbeat to the server.

    It never blocks and may be called at any rate, from async code or a thread: updates are coalesced to 10 a
    second, and the latest wins. Outside a worker it does nothing, so an activity can be called like any
    function.

    Args:
        done: how many of `of` are done. The workflow itself counts the items of a `step.map`.
        of: the total; without it the percentage is unknown.
        message: a short line for people.
        text: what was *added* to the partial output since the last call. Listeners get the whole output so
            far, at most its last 32 kB.
    """
    target = current_target.get()
    if target is not None:
        target.report(done, of, message, text)


def restart_output(attempt: int) -> None:
    """Discard the partial output and make listeners discard it too (`stream.reset`).

    A retry by Temporal does this automatically. Call it when the activity itself makes another attempt, for
    example with another model.
    """
    target = current_target.get()
    if target is not None:
        target.restart(attempt)


class Emission(Struct, frozen=True, kw_only=True):
    """A domain event to emit when the activity has completed its work."""

    name: str
    payload: Callable[..., Struct | None] | None
    compact: bool


def emit_on_complete(
    event_name: str, payload: Callable[..., Struct | None] | None = None, *, compact: bool = False
) -> Callable[[F], F]:
    """Emit a domain event after the activity returns and *before* it is reported complete.

    When the receiver does not accept the event, the activity fails and is retried, so the event is not lost.
    Its id is derived from run, execution, activity, name and data, so the receiver can deduplicate it. An
    attempt that is repeated with another result sends another event. It has no sequence number: it goes to
    the `domain-events` topic and to live listeners, but not into the run's stream (use `run.emit`).

    Args:
        event_name: short and dotted, `ad.rendered`.
        payload: `(argument, result) -> Struct`, or None to emit no event. Without it the result, which must
            be a Struct, is the payload.
        compact: leave out members that are null or empty.
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
    """Return the event's data as JSON; None when no event is to be emitted.

    Raises:
        TypeError: the payload is not a Struct.
    """
    value = emission.payload(argument, result) if emission.payload is not None else result
    if value is None and emission.payload is not None:
        return None
    if not isinstance(value, Struct):
        raise TypeError(
            f"event {emission.name} needs a Struct, not {type(value).__name__}: "
            "give emit_on_complete a payload function"
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
