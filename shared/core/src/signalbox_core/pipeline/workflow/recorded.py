"""What a run keeps in its history because replay must not compute it again from code that may have changed.

A question is kept as the result of an activity, which delivers its event as well. The validation of a
decision that arrived by signal is kept as a patch marker, the only record that workflow code can read without
waiting: a signal must take effect at once, or a cancel that arrives with it would overtake it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from msgspec import Struct
from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.emitter import Emitter, approved_ids
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.contract.stated_patches import LEAN_QUESTIONS
from signalbox_core.pipeline.workflow.delivery import batches, check_approved_events
from signalbox_core.pipeline.workflow.origin import has_patch
from signalbox_core.pipeline.workflow.outbox import Outbox
from signalbox_core.pipeline.workflow.waits import wait_until_idle

RECORD_QUESTIONS: Final = "signalbox.record_questions"
RECORDED_QUESTIONS: Final = "signalbox.recorded-questions"
"""The patch since which questions are recorded.

It is set when a run starts, because a patch is not reliable right after a local activity. So a run of an
older version goes on with what live code computes.
"""
MAX_UNRECORDED: Final = 80
"""How many questions are recorded at a time; the next ones are asked when these are recorded.

Many questions in one workflow task hold its thread until Temporal takes it for a deadlock. So many still fit
into one delivery, with the other events of the task.
"""
LADDERS: Final = "signalbox.ladders"
"""The patch of runs whose contract has an escalation ladder; runs from before it keep the one reminder."""
DELIVERY_TIMEOUT_S: Final = 2.0
"""How long a recording waits for the receiver; after that the outbox delivers."""
_ATTEMPT_TIMEOUT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=5), maximum_attempts=0
)
_UNKNOWN_CODE: Final = "refused"
_HIGHEST_PRIORITY: Final = Priority(priority_key=1)


def questions_patch(spec: PipelineSpec) -> str | None:
    """Return the newest patch of questions that the run has; None: its history holds no questions."""
    patches = (LEAN_QUESTIONS, RECORDED_QUESTIONS) if spec.approvals else ()
    return next(filter(has_patch, patches), None)


def follows_ladders(spec: PipelineSpec) -> bool:
    """Return whether the run's questions follow their ladders; on replay the history decides."""
    is_possible = any(item.ladder for item in spec.approvals) or workflow.unsafe.is_replaying()
    return is_possible and workflow.patched(LADDERS)


class RecordRequest(Struct, frozen=True, kw_only=True):
    """Questions to record.

    Attributes:
        events: their `approval.requested`, and with `deliver` all undelivered events of the run, in order.
        accepted_early: the ids of the events whose questions accept the decision that arrived before them.
        refused_early: by event id, the codes with which the other questions refuse it.
        deliver: whether to deliver the events; False while another delivery of the run is in flight.
        approved: as of `EventBatch`.
    """

    events: tuple[CloudEvent, ...]
    accepted_early: tuple[str, ...] = ()
    refused_early: dict[str, str] = {}
    deliver: bool = False
    approved: tuple[str, ...] = ()


class Recorded(Struct, frozen=True, kw_only=True):
    """The questions as the history has them, and whether the receiver has the events of the request.

    Attributes:
        is_awaited: as of `Delivered`.
    """

    requested: tuple[CloudEvent, ...]
    accepted_early: tuple[str, ...] = ()
    refused_early: dict[str, str] = {}
    delivered: bool = False
    is_awaited: bool = False


class EarlyValidation(Struct, frozen=True, kw_only=True):
    """What a question makes of the decision that arrived before it, if one did.

    Attributes:
        refusal: the code with which it refuses it.
    """

    is_accepted: bool = False
    refusal: str | None = None


class SignalValidation(Struct, frozen=True, kw_only=True):
    """The outcome of a decision that arrived by signal.

    Attributes:
        code: of the refusal; None if it is accepted.
        is_reported: whether the refusal is an event; in older histories it is not.
    """

    code: str | None = None
    is_reported: bool = True


class QuestionActivities:
    """The activity that records questions; every worker registers it."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    @activity.defn(name=RECORD_QUESTIONS)
    async def record(self, request: RecordRequest) -> Recorded:
        """Return the questions, so that the history has them. Idempotent by event id.

        An unavailable receiver does not fail it: a question is open whether or not its event is delivered.
        """
        check_approved_events(request.events, request.approved)
        return Recorded(
            requested=tuple(event for event in request.events if event.name == "approval.requested"),
            accepted_early=request.accepted_early,
            refused_early=request.refused_early,
            delivered=request.deliver and await self._deliver(request.events),
            is_awaited=True,
        )

    async def _deliver(self, events: Sequence[CloudEvent]) -> bool:
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_S):
                await self._emitter.deliver(events)
        except (Unavailable, TimeoutError):
            return False
        return True


class QuestionRecorder:
    """Records the questions that a run asks; those of one workflow task in one activity.

    Args:
        outbox: the run's outbox, whose events a recording delivers, so that a question costs one activity.
        restore: takes over a question as the history has it: its event, whether it accepts its early
            decision, and the code with which it refuses it.
        patch: of questions, that the run has.
    """

    def __init__(
        self, outbox: Outbox, restore: Callable[[CloudEvent, bool, str | None], None], patch: str | None
    ) -> None:
        self._outbox = outbox
        self._restore = restore
        self._slots = asyncio.Semaphore(MAX_UNRECORDED) if patch == LEAN_QUESTIONS else None
        self._unrecorded: dict[str, EarlyValidation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait until one more question may be recorded; the block asks it."""
        if self._slots is None:
            yield
            return
        await self._slots.acquire()
        try:
            yield
        except Exception:
            self._slots.release()
            raise

    def add(self, event: CloudEvent, validation: EarlyValidation) -> None:
        """Record a question. Its event has just been added to the outbox."""
        if not self._unrecorded:
            task = asyncio.create_task(self._record_all(), name="signalbox questions")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._unrecorded[event.id] = validation
        self._outbox.hold(event.id)

    async def _record_all(self) -> None:
        await wait_until_idle()
        validations, self._unrecorded = self._unrecorded, {}
        delivery = self._outbox.begin_recording()
        if delivery:
            recorded = await self._record(delivery, validations, deliver=True)
            delivered = delivery if recorded.delivered else ()
            self._outbox.end_recording(delivered, is_awaited=recorded.is_awaited)
            return
        events = [event for event in self._outbox.undelivered if event.id in validations]
        await asyncio.gather(*(self._record(part, validations, deliver=False) for part in batches(events)))

    async def _record(
        self, events: tuple[CloudEvent, ...], validations: Mapping[str, EarlyValidation], *, deliver: bool
    ) -> Recorded:
        decided = {event.id: validations[event.id] for event in events if event.id in validations}
        recorded: Recorded = await workflow.execute_activity(
            RECORD_QUESTIONS,
            RecordRequest(
                events=events,
                accepted_early=tuple(key for key, validation in decided.items() if validation.is_accepted),
                refused_early={
                    key: validation.refusal for key, validation in decided.items() if validation.refusal
                },
                deliver=deliver,
                approved=approved_ids(events),
            ),
            result_type=Recorded,
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
            priority=_HIGHEST_PRIORITY,
        )
        for event in recorded.requested:
            if event.id in validations:
                self._outbox.restore(event)
                refusal = recorded.refused_early.get(event.id)
                self._restore(event, event.id in recorded.accepted_early, refusal)
                if self._slots is not None:
                    self._slots.release()
        return recorded


def recorded_signal_validation(
    key: str, validate: Callable[[], str | None], codes: Iterable[str]
) -> SignalValidation:
    """Validate once: call `validate` on the first execution and return the recorded validation on replay.

    To be called from a message handler only. After a local activity Temporal may replay the code before it
    reads the markers of the workflow task in which that code ran.

    Args:
        key: unique in the run.
        validate: returns the code of the refusal, or None. Called on replay too when the history is older
            than this record.
        codes: those that `validate` may return.
    """
    accepted, refused = f"{key}-accepted", f"{key}-refused"
    if not workflow.unsafe.is_replaying():
        code = validate()
        workflow.patched(accepted if code is None else refused)
        return SignalValidation(code=code, is_reported=code is None or workflow.patched(f"{refused}-{code}"))
    if workflow.patched(accepted):
        return SignalValidation()
    if workflow.patched(refused):
        code = next((code for code in codes if workflow.patched(f"{refused}-{code}")), None)
        return SignalValidation(code=code or _UNKNOWN_CODE, is_reported=code is not None)
    return SignalValidation(code=validate(), is_reported=False)


def recorded_refusal(key: str, refuses: Callable[[], bool]) -> bool:
    """Validate once and record refusals only, for messages that are rarely refused.

    To be called from a message handler only, like `recorded_signal_validation`.

    Args:
        key: unique in the run.
    """
    if workflow.unsafe.is_replaying():
        return workflow.patched(f"{key}-refused")
    return refuses() and workflow.patched(f"{key}-refused")
