"""A step of a run: a scope that records its start and end and calls activities on its behalf."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, TypeVar, overload

from msgspec import UNSET, UnsetType
from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from signalbox_core.events import catalogue
from signalbox_core.pipeline.contract.approved_effect import DecisionReceipt, EffectApproval
from signalbox_core.pipeline.contract.failures import failure_of
from signalbox_core.pipeline.contract.options import DEFAULT_HEARTBEAT, CallOptions
from signalbox_core.pipeline.contract.spec import Step
from signalbox_core.pipeline.contract.step_header import StepCall, current_call
from signalbox_core.pipeline.workflow.receipts import approve_call
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import all_or_first_error, through_rate_limits

P = TypeVar("P")
R = TypeVar("R")

MAX_PARALLEL: Final = 25
"""Default concurrency of a `map`: as many calls as a worker starts without another round trip."""


class StepScope:
    """The scope `async with run.step(...)`: records `step.started`, then `step.completed` or `step.failed`.

    A step that was running at continue-as-new resumes when it is entered again, without a second
    `step.started`.
    """

    def __init__(self, state: RunState, step: Step) -> None:
        self._state = state
        self._step = step
        self._started_at: datetime | None = None
        self._message: str | None = None
        self._items: str | UnsetType = UNSET
        self._enclosing_call: StepCall | None = None
        self._attempt = 1

    @property
    def name(self) -> str:
        return self._step.name

    async def __aenter__(self) -> "StepScope":
        await self._state.until_resumed()
        resumed = self._state.take_running_step(self.name)
        self._started_at = resumed.started_at if resumed is not None else workflow.now()
        self._attempt = resumed.attempt if resumed is not None else self._state.count_start(self.name)
        if resumed is None:
            started = catalogue.StepStarted(step=self.name, title=self._step.title, attempt=self._attempt)
            self._state.record_event("step.started", started, step=self.name)
        self._enclosing_call = current_call.get()
        current_call.set(StepCall(tenant=self._state.tenant, step=self.name, attempt=self._attempt))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is GeneratorExit:
            # An evicted run: the garbage collector closes its coroutine in the context of any other run.
            return
        current_call.set(self._enclosing_call)
        assert self._started_at is not None
        if error is None:
            done = catalogue.StepCompleted(
                step=self.name,
                title=self._step.title,
                started_at=self._started_at,
                message=self._message,
                items=self._items,
            )
            self._state.end_step("step.completed", done, step=self.name)
        elif isinstance(error, Exception) and not self._is_cancel_of_run(error):
            failure = failure_of(error, step=self.name)
            self._state.remember_failure(error, failure)
            failed = catalogue.StepFailed(
                step=self.name,
                title=self._step.title,
                started_at=self._started_at,
                error=failure,
                items=self._items,
            )
            self._state.end_step("step.failed", failed, step=self.name)

    def say(self, message: str) -> None:
        """Set the text shown next to the completed step ("6 colours, 12 pictures")."""
        self._message = message

    def progress(
        self, done: float, of: float | None = None, *, message: str | None = None, items: str | None = None
    ) -> None:
        """Report progress from the workflow; inside an activity use `activity.progress`.

        Args:
            of: the total; without it the percentage is unknown.
            items: the state of each of many items, one letter each; None leaves the previous value in place.
                The event that ends the step has the last one, since pending progress is then discarded.
        """
        if items is not None:
            self._items = items
        percent = None if not of else min(100.0, 100.0 * done / of)
        data = catalogue.StepProgress(
            step=self.name,
            percent=percent,
            message=message,
            attempt=self._attempt,
            items=UNSET if items is None else items,
        )
        self._state.progress(data)

    @staticmethod
    def _is_cancel_of_run(error: BaseException) -> bool:
        return is_cancelled_exception(error) and workflow.cancellation_reason() is not None

    @overload
    async def call(
        self,
        activity: Callable[[P], Awaitable[R]],
        arg: P,
        options: CallOptions,
        *,
        approved: DecisionReceipt | None = ...,
    ) -> R: ...
    @overload
    async def call(
        self,
        activity: Callable[[Any, P], Awaitable[R]],
        arg: P,
        options: CallOptions,
        *,
        approved: DecisionReceipt | None = ...,
    ) -> R: ...
    @overload
    async def call(
        self,
        activity: Callable[[P], R],
        arg: P,
        options: CallOptions,
        *,
        approved: DecisionReceipt | None = ...,
    ) -> R: ...
    @overload
    async def call(
        self,
        activity: Callable[[Any, P], R],
        arg: P,
        options: CallOptions,
        *,
        approved: DecisionReceipt | None = ...,
    ) -> R: ...
    async def call(
        self,
        activity: Callable[..., Any],
        arg: Any,
        options: CallOptions,
        *,
        approved: DecisionReceipt | None = None,
    ) -> Any:
        """Run one activity and return its result.

        Args:
            activity: a function, or a method referred to through its class.
            approved: the decision that the activity carries out (`Run.receipt`). The worker refuses the call
                with `not_what_was_approved` unless the argument is a value that was approved and each object
                that the activity reads is a file that was shown, unchanged.
        """
        approval = approve_call(self._state.spec, approved, arg) if approved is not None else None
        return await self._run(activity, arg, options, approval=approval)

    @overload
    async def map(
        self,
        activity: Callable[[P], Awaitable[R]],
        items: Sequence[P],
        options: CallOptions,
        *,
        parallel: int = ...,
    ) -> list[R]: ...
    @overload
    async def map(
        self,
        activity: Callable[[Any, P], Awaitable[R]],
        items: Sequence[P],
        options: CallOptions,
        *,
        parallel: int = ...,
    ) -> list[R]: ...
    @overload
    async def map(
        self, activity: Callable[[P], R], items: Sequence[P], options: CallOptions, *, parallel: int = ...
    ) -> list[R]: ...
    @overload
    async def map(
        self,
        activity: Callable[[Any, P], R],
        items: Sequence[P],
        options: CallOptions,
        *,
        parallel: int = ...,
    ) -> list[R]: ...
    async def map(
        self,
        activity: Callable[..., Any],
        items: Sequence[Any],
        options: CallOptions,
        *,
        parallel: int = MAX_PARALLEL,
    ) -> list[Any]:
        """Run one activity for every item, at most `parallel` at once, and report the percentage.

        The first error cancels the calls in flight, and the remaining ones are not started.

        Returns:
            The results in the order of the items.
        """
        results: list[Any] = [None] * len(items)
        remaining = iter(enumerate(items))
        done = 0

        async def process_remaining() -> None:
            nonlocal done
            for index, item in remaining:
                results[index] = await self._run(activity, item, options, index=index, total=len(items))
                done += 1
                self.progress(done, len(items))

        await all_or_first_error([process_remaining() for _ in range(min(max(parallel, 1), len(items)))])
        return results

    async def _run(self, activity: Callable[..., Any], arg: Any, options: CallOptions, **item: Any) -> Any:
        async def run_once() -> Any:
            await self._state.hold_for_cancel()
            return await self._start(activity, arg, options, **item)

        if options.local:
            return await run_once()
        return await through_rate_limits(run_once, options.rate_limit_wait)

    def _start(
        self,
        activity: Callable[..., Any],
        arg: Any,
        options: CallOptions,
        *,
        index: int = 0,
        total: int = 0,
        approval: EffectApproval | None = None,
    ) -> "workflow.ActivityHandle[Any]":
        call = StepCall(
            tenant=self._state.tenant,
            step=self.name,
            attempt=self._attempt,
            index=index,
            total=total,
            auto_heartbeat=options.heartbeat is None and not options.local,
            approval=approval,
        )
        token = current_call.set(call)
        try:
            if options.local:
                return workflow.start_local_activity(
                    activity,
                    args=[arg],
                    start_to_close_timeout=options.timeout,
                    schedule_to_close_timeout=options.total_timeout,
                    retry_policy=options.retry_policy,
                )
            return workflow.start_activity(
                activity,
                args=[arg],
                task_queue=options.task_queue,
                start_to_close_timeout=options.timeout,
                schedule_to_close_timeout=options.total_timeout,
                heartbeat_timeout=options.heartbeat or DEFAULT_HEARTBEAT,
                retry_policy=options.retry_policy,
            )
        finally:
            current_call.reset(token)
