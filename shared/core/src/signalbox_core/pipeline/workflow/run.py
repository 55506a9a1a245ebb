"""`Run`: what a pipeline's workflow drives. Create it once, in the workflow's `@workflow.init`.

Nothing in it waits for event delivery. How the run ended is seen by the worker's interceptor (`ending.py`), not told by the author.
"""

from types import TracebackType
from typing import Any, Final, TypeVar, overload

import msgspec
from msgspec import Struct

from signalbox_core.events import catalogue
from signalbox_core.objects import ObjectRef
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import bug, refusal
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec
from signalbox_core.pipeline.workflow.approvals import Check
from signalbox_core.pipeline.workflow.handlers import Handlers
from signalbox_core.pipeline.workflow.questions import Question, open_question, wait_for_outcome
from signalbox_core.pipeline.workflow.state import CleanUp, RunState
from signalbox_core.pipeline.workflow.steps import StepScope

A = TypeVar("A", bound=Struct)


class _Unset:
    """No default was given."""


_UNSET: Final = _Unset()


class Run:
    """One run, as its workflow sees it."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self.state = RunState(spec)
        self._handlers = Handlers(self.state)
        self._steps = {step.name: step for step in spec.steps}
        self._events = {event.name: event for event in spec.events}

    @property
    def run_id(self) -> str:
        return self.state.run_id

    @property
    def tenant(self) -> str:
        return self.state.tenant

    async def __aenter__(self) -> "Run":
        self.state.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing: how the run ends is known only when the workflow itself returns or raises."""

    def step(self, name: str) -> StepScope:
        """The scope of a declared step; entering it waits while the run is paused."""
        if name not in self._steps:
            raise bug(
                f"pipeline {self.spec.name} declares no step {name!r}; its steps are: {', '.join(self._steps)}"
            )
        return StepScope(self.state, self._steps[name])

    def emit(self, name: str, data: Struct) -> None:
        """Record a domain event that the contract declares, in sequence with the milestones."""
        declared = self._events.get(name)
        if declared is None or not isinstance(data, declared.data):
            raise bug(
                f"pipeline {self.spec.name} declares no event {name!r} with data {type(data).__name__}; add it to SPEC.events"
            )
        self.state.record(name, data)

    def artifact(self, name: str, ref: ObjectRef, *, title: str | None = None) -> None:
        """Say that a file is ready; a later one of the same name replaces it."""
        data = catalogue.ArtifactCreated(
            name=name, media_type=ref.media_type, size_bytes=ref.size_bytes, key=ref.key, title=title
        )
        self.state.record("artifact.created", data)

    def keep(self, value: Struct) -> None:
        """Hand `value` to the run's next execution, beside its input; call it just before `workflow.continue_as_new`."""
        self.state.kept = msgspec.Raw(msgspec.json.encode(value))

    def kept(self, kind: type[A]) -> A | None:
        """What the execution before this one kept; None in the first."""
        return msgspec.json.decode(self.state.kept, type=kind | None)

    def on_cancel(self, clean_up: CleanUp) -> None:
        """Run `clean_up` when the run is cancelled: the last registered first, each to its end."""
        self.state.clean_ups.append(clean_up)

    @overload
    async def ask(
        self,
        approval: Approval[A],
        *,
        options: object,
        evidence: object = ...,
        check: Check | None = ...,
        approval_id: str | None = ...,
        default: A | _Unset = ...,
    ) -> A: ...
    @overload
    async def ask(
        self,
        approval: str,
        *,
        options: object,
        evidence: object = ...,
        check: Check | None = ...,
        approval_id: str | None = ...,
        default: Struct | _Unset = ...,
    ) -> Any: ...
    async def ask(
        self,
        approval: Approval[Any] | str,
        *,
        options: object,
        evidence: object = None,
        check: Check | None = None,
        approval_id: str | None = None,
        default: Struct | _Unset = _UNSET,
    ) -> Any:
        """Ask a person and wait for the answer, which may have come before the question.

        Args:
            approval: a declared one, or its name; given the object, the type checker knows the answer's type.
            options: what can be chosen; covered by the digest, as is `evidence`: exactly what the approver sees.
            check: a pure rule over the decoded answer; its InvalidInput refuses the decision and the question stays open.
            approval_id: unique in the run; `variants`, then `variants-2`, … unless given.
            default: the answer when the deadline passes; without one the run fails with code `approval_expired`.
        """
        declared = self._declared(approval)
        asked_id = approval_id or self.state.approvals.next_id(declared.name)
        question = Question(
            approval=declared, approval_id=asked_id, options=options, evidence=evidence, check=check
        )
        asked = open_question(self.state, question)
        early = self.state.approvals.take_early(asked_id)
        if early is not None:
            self._handlers.decide_by_signal(early)
        await wait_for_outcome(self.state, asked_id, asked)
        await self.state.hold_for_cancel()
        if asked.record is not None:
            return msgspec.json.decode(asked.record.answer, type=declared.answer)
        if isinstance(default, _Unset):
            raise refusal(
                messages.APPROVAL_EXPIRED,
                f"nobody decided approval {asked_id} within {declared.deadline}; start the run again",
            )
        return default

    def _declared(self, approval: Approval[Any] | str) -> Approval[Any]:
        name = approval if isinstance(approval, str) else approval.name
        try:
            return self.spec.approval(name)
        except KeyError:
            names = ", ".join(item.name for item in self.spec.approvals)
            raise bug(
                f"pipeline {self.spec.name} declares no approval {name!r}; its approvals are: {names or 'none'}"
            ) from None
