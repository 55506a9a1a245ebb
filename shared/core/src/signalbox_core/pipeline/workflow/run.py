"""`Run`: the object that a pipeline's workflow drives. Create it once, in the workflow's `@workflow.init`.

No method waits for event delivery. The worker's interceptor records how the run ended (`lifecycle.py`).
"""

from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar, cast, overload

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.events import catalogue
from signalbox_core.events.policy import Policy
from signalbox_core.objects import ObjectRef
from signalbox_core.pipeline.contract.approved_effect import DecisionReceipt
from signalbox_core.pipeline.contract.declared import check_domain_event, declared_approval, declared_step
from signalbox_core.pipeline.contract.external_event import ExternalEvent
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec
from signalbox_core.pipeline.contract.tenancy import workflow_id_in_tenant
from signalbox_core.pipeline.workflow.answers import AnswerCheck
from signalbox_core.pipeline.workflow.ballot.continuation import carry_questions
from signalbox_core.pipeline.workflow.child_runs import ChildRun, start_child_run
from signalbox_core.pipeline.workflow.external.handlers import EventMessageHandlers
from signalbox_core.pipeline.workflow.external.open_callback import OpenCallback, open_callback
from signalbox_core.pipeline.workflow.external.wait import wait_for_event
from signalbox_core.pipeline.workflow.handlers import RunMessageHandlers
from signalbox_core.pipeline.workflow.questions import (
    ApprovalQuestion,
    answer_of,
    ask_question,
    wait_for_outcome,
)
from signalbox_core.pipeline.workflow.receipts import EffectChecks, build_receipt
from signalbox_core.pipeline.workflow.state import CleanUp, RunState
from signalbox_core.pipeline.workflow.steps import StepScope

A = TypeVar("A", bound=Struct)
In = TypeVar("In", bound=Struct)
Out = TypeVar("Out", bound=Struct)


class Run:
    """One run: its steps, events, artifacts and questions."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self.state = RunState(spec)
        self._handlers = RunMessageHandlers(self.state)
        EventMessageHandlers(self.state)
        self._effects = EffectChecks(spec)

    @property
    def run_id(self) -> str:
        """The run id, as in the API and in events; unique within the tenant."""
        return self.state.run_id

    @property
    def workflow_id(self) -> str:
        """The id of the run's workflow in Temporal; unique among all tenants."""
        return self.state.workflow_id

    def workflow_id_of(self, run_id: str) -> str:
        """Return the workflow id of a run of the tenant, for `workflow.get_external_workflow_handle`."""
        return workflow_id_in_tenant(run_id, own_id=self.state.workflow_id)

    @property
    def tenant(self) -> str:
        return self.state.tenant

    async def __aenter__(self) -> "Run":
        self.state.ensure_started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: the run's outcome is known only when the workflow itself returns or raises."""

    def step(self, name: str, *, title: str | None = None, number: int = 1) -> StepScope:
        """Return the scope of a declared step. Entering it waits while the run is paused.

        Args:
            title: instead of the declared one, for example with the name of the current item.
            number: 2 and more show a further step, `name-2`, after the declared ones; without a number, the
                declared step is entered again, as its next attempt.

        Raises:
            ApplicationError: `pipeline_bug` when the contract does not declare the step, or the number is
                below 1.
        """
        return StepScope(self.state, declared_step(self.spec, name, title, number))

    async def call(self, spec: PipelineSpec[In, Out], given: In, *, run_id: str | None = None) -> Out:
        """Run another pipeline as a child of this run, and return its result.

        Tenant, starter, priority and search attributes are those of this run. A cancel of this run cancels
        the child and waits for its clean-up.

        Args:
            run_id: of the child; by default a new one that begins with this run's.

        Raises:
            ApplicationError: as `ChildRun.result` and `start_child_run` raise it; the run fails unless the
                workflow catches it.
        """
        return await (await self.start_child(spec, given, run_id=run_id)).result()

    async def start_child(
        self, spec: PipelineSpec[In, Out], given: In, *, run_id: str | None = None
    ) -> ChildRun[Out]:
        """Start another pipeline as `call` does, without waiting for its end.

        A child that still runs when this run ends is cancelled.
        """
        return await start_child_run(self.state, spec, given, run_id)

    def emit(self, name: str, data: Struct, *, approved: DecisionReceipt | None = None) -> None:
        """Record a declared domain event, in sequence with the milestones.

        Args:
            approved: the decision that the event carries out; its data must be a value that was approved.

        Raises:
            ApplicationError: `pipeline_bug` when the contract does not declare the event with this data type;
                `not_what_was_approved`.
        """
        check_domain_event(self.spec, name, data)
        if approved is not None:
            self._effects.check_event(approved, data)
        self.state.record_event(name, data, is_effect=approved is not None)

    def artifact(self, name: str, ref: ObjectRef, *, title: str | None = None) -> None:
        """Record that a file is ready. A later artifact of the same name replaces it."""
        data = catalogue.ArtifactCreated(
            name=name, media_type=ref.media_type, size_bytes=ref.size_bytes, key=ref.key, title=title
        )
        self.state.record_event("artifact.created", data)

    def keep(self, value: Struct) -> None:
        """Pass `value` to the run's next execution, in addition to its input.

        Call it just before `workflow.continue_as_new`.
        """
        self.state.kept = msgspec.Raw(msgspec.json.encode(value))

    def kept(self, kind: type[A]) -> A | None:
        """Return what the previous execution passed to `keep`; None in the first execution."""
        return msgspec.json.decode(self.state.kept, type=kind | None)

    async def carry(self, *approval_ids: str) -> None:
        """Carry questions over to the run's next execution, whose `ask` continues them.

        Await it just before `workflow.continue_as_new`, outside of message handlers, whose end it awaits, and
        do not cancel the tasks that wait in `ask`. A question that the next execution does not ask again in
        its first workflow task, before it awaits other work, is withdrawn.

        Raises:
            ApplicationError: `pipeline_bug`: this execution has not asked a question, or has withdrawn it.
        """
        await carry_questions(self.state, approval_ids)

    def on_cancel(self, clean_up: CleanUp) -> None:
        """Run `clean_up` when the run is cancelled. All run to completion, the last registered first."""
        self.state.clean_ups.append(clean_up)

    @overload
    async def ask(
        self,
        approval: Approval[A],
        *,
        options: object,
        evidence: object = ...,
        check: AnswerCheck | None = ...,
        approval_id: str | None = ...,
        default: A | UnsetType = ...,
        title: str | None = ...,
        subject: str | None = ...,
        deadline: timedelta | None = ...,
        policy: Policy | None = ...,
        proposal: object = ...,
    ) -> A: ...
    @overload
    async def ask(
        self,
        approval: str,
        *,
        options: object,
        evidence: object = ...,
        check: AnswerCheck | None = ...,
        approval_id: str | None = ...,
        default: Struct | UnsetType = ...,
        title: str | None = ...,
        subject: str | None = ...,
        deadline: timedelta | None = ...,
        policy: Policy | None = ...,
        proposal: object = ...,
    ) -> Any: ...
    async def ask(  # noqa: PLR0913 - each is one aspect of the question
        self,
        approval: Approval[Any] | str,
        *,
        options: object,
        evidence: object = None,
        check: AnswerCheck | None = None,
        approval_id: str | None = None,
        default: Struct | UnsetType = UNSET,
        title: str | None = None,
        subject: str | None = None,
        deadline: timedelta | None = None,
        policy: Policy | None = None,
        proposal: object = None,
    ) -> Any:
        """Ask a person and wait for the answer.

        The question is kept in the run's history as it was asked, so the contract may change while it is
        open. Of many calls at once, the first 80 ask their questions, the next ones when those are recorded.
        When the task that waits is cancelled, or the run continues as new, the question is withdrawn. If
        `carry` has carried it over, it stays as it was asked; only `check` and `default` are new.

        Args:
            approval: a declared approval, or its name. Given the object, the answer is typed.
            options: the choices; the digest covers them and `evidence`, exactly as the approver sees them.
            check: a pure rule for the decoded answer. When it raises InvalidInput, the decision is rejected
                and the question stays open.
            approval_id: unique in the run; by default a carried question's, else `variants`, `variants-2`, …
            default: the answer when the deadline passes. Without one, and without a `Default` in the
                approval's ladder, the run fails with code `approval_expired`.
            title, deadline: replace those of the contract for this question.
            subject: what the question is about, if the title does not state it.
            policy: who may decide this question; as strict as the contract's policy or stricter.
            proposal: the answer, or a part of it, as proposed; an answer that edits it is `modified`.

        Raises:
            VetoedError: a member of a veto group objected.
            ApplicationError: `approval_expired`; `pipeline_bug` when the policy is weaker than the contract's
                or can never be met.
        """
        declared = declared_approval(self.spec, approval)
        open_for = declared.open_for if self.state.follows_ladders else declared.deadline
        open_for = deadline if deadline is not None else open_for
        question = ApprovalQuestion(
            approval=declared,
            approval_id=approval_id or "",
            options=options,
            evidence=evidence,
            check=check,
            title=title if title is not None else declared.title,
            about=subject,
            deadline=open_for,
            policy=policy if policy is not None else declared.policy,
            proposal=proposal,
        )
        asked = await ask_question(self.state, question, self._handlers.refusal_of_early)
        await wait_for_outcome(self.state, asked, default=default)
        await self.state.hold_for_cancel()
        has_default = not isinstance(default, UnsetType)
        return default if has_default and not asked.is_voted_out else answer_of(asked, open_for)

    async def wait_for(
        self,
        event: ExternalEvent[A],
        *,
        key: str | None = None,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - a durable timer
    ) -> A:
        """Wait for an external event, and return its data. An event that arrived before is taken at once.

        Args:
            event: declared in the contract's `external_events`.
            key: the business key that the event must have, for senders that do not know the run.
            timeout: by default that of the contract.

        Raises:
            WaitExpiredError: no event arrived in time; the run fails with code `wait_expired` unless the
                workflow catches it.
            ApplicationError: `pipeline_bug`: the contract does not declare the event. `invalid_input`: the
                key is empty or too long. `too_many_waits`. `too_many_waiters`: 500 runs wait for the key.
        """
        return cast("A", await wait_for_event(self.state, event, key, timeout))

    def callback(self, event: ExternalEvent[A], *, timeout: timedelta | None = None) -> OpenCallback[A]:
        """Begin a wait that a POST to a one-time URL ends; `ActivityDeps.callback_url` makes the URL.

        Raises:
            ApplicationError: as `wait_for`; `tenant_missing`.
        """
        return open_callback(self.state, event, timeout)

    def receipt(self, approval: Approval[Any] | str, *, approval_id: str | None = None) -> DecisionReceipt:
        """Return the receipt of a decided question, for `step.call(…, approved=receipt)` and `emit`.

        Args:
            approval_id: by default the latest question of this approval.

        Raises:
            ApplicationError: `pipeline_bug`: the question was not asked, or has no decision.
        """
        declared = declared_approval(self.spec, approval)
        return build_receipt(self.state.approvals.asked(declared.name, approval_id))
