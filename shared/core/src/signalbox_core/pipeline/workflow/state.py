"""The state of one run inside its workflow, shared by `Run`, its steps and its message handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from temporalio import workflow
from temporalio.api.common.v1 import Payload

from signalbox_core.events import CATALOGUE, CloudEvent, approval_data, catalogue
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.envelope import decode_data
from signalbox_core.events.snapshot import StepState
from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.pipeline.contract.failures import causes, non_retryable_error
from signalbox_core.pipeline.contract.messages import CancelReason, Decision
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.contract.stated_patches import (
    LEAN_QUESTIONS,
    REACTION_FIRST,
    UNTITLED_SIZES,
)
from signalbox_core.pipeline.contract.tenancy import TENANT_MATCHES, tenant_mismatch
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.ballot.carried import restored_questions
from signalbox_core.pipeline.workflow.ballot.refused_vote import refused_vote
from signalbox_core.pipeline.workflow.ballot.vote_events import vote_events
from signalbox_core.pipeline.workflow.external.wait_registry import WaitRegistry
from signalbox_core.pipeline.workflow.journal import CarriedState
from signalbox_core.pipeline.workflow.origin import new_journal, run_started, run_starter, stated_patches
from signalbox_core.pipeline.workflow.outbox import Outbox
from signalbox_core.pipeline.workflow.recorded import QuestionRecorder, follows_ladders, questions_patch
from signalbox_core.pipeline.workflow.waits import OutcomeWaits, wait_until_idle
from signalbox_core.temporal.names import DEFAULT_TENANT, HEADER_CARRIED, HEADER_FOREIGN, MEMO_TENANT

CleanUp = Callable[[], Awaitable[None]]

CANCEL_WINS: Final = "signalbox.cancel-wins"
"""The patch since which a cancelled run accepts no decision; older histories replay as recorded."""
TENANT_REQUIRED: Final = "signalbox.tenant-required"
"""The patch since which a run without a tenant fails; older histories replay as tenant `default`."""
CANCEL_TIMEOUT: Final = timedelta(seconds=30)
"""How long an announced cancel may take to arrive; the gateway sends it right after the announcement."""
_REPEATED_AFTER_RESET: Final = frozenset({"step.completed", "artifact.created", "child.ended"})
"""With domain events: what reports finished work, and comes again unchanged from a task that is run again."""
OFFER: Final = "signalbox_offer"
"""The extern function that passes progress to the worker process without a command or history event."""


class RunState:
    """Mutable state owned by one workflow instance; rebuilt by replay."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self.workflow_id = workflow.info().workflow_id
        self.run_id = run_id_of(self.workflow_id)
        tenant: str | None = workflow.memo_value(MEMO_TENANT, None, type_hint=str)
        self.has_tenant = bool(tenant) or HEADER_CARRIED in workflow.info().headers
        self.tenant = tenant or DEFAULT_TENANT
        self.journal = new_journal(self.workflow_id, self.tenant)
        self.stated_patches = stated_patches()
        self.outbox = Outbox(counts_titles=UNTITLED_SIZES not in self.stated_patches)
        self.approvals = ApprovalRegistry(spec)
        self.waits = WaitRegistry(self.run_id)
        self.starting_children = 0
        # At the start, because a patch is not reliable right after a local activity.
        self.follows_ladders = follows_ladders(spec)
        self.questions_patch = questions_patch(spec)
        self.outbox.waits_for_reaction = (
            REACTION_FIRST in self.stated_patches or self.questions_patch == LEAN_QUESTIONS
        )
        self.outcomes = OutcomeWaits()
        self.recorder = QuestionRecorder(self.outbox, self._restore_question, self.questions_patch)
        self.clean_ups: list[CleanUp] = []
        self.cancel_reason = CancelReason()
        self.paused = False
        self._cancel_announced_at: datetime | None = None
        self._cancel_received = False
        self._awaits_retried = False
        self._retried_task: asyncio.Task[None] | None = None
        self.withdrawal: asyncio.Task[None] | None = None
        self._starts: dict[str, int] = {}
        self.kept = msgspec.Raw(b"null")
        self._running_steps: dict[str, StepState] = {}
        self._failures: list[tuple[BaseException, Failure]] = []
        self._restore_carried()
        workflow.register_random_seed_callback(self._on_random_seed(asyncio.get_running_loop()))

    def require_tenant(self, headers: Mapping[str, Payload]) -> None:
        """Check that the run has a tenant, and that memo, workflow id, input and carried state agree on it.

        An older history without a tenant replays as tenant `default`.

        Args:
            headers: those of the start.

        Raises:
            ApplicationError: `tenant_missing` or `tenant_mismatch`, not retryable.
        """
        if not self.has_tenant and workflow.patched(TENANT_REQUIRED):
            raise non_retryable_error(
                "tenant_missing",
                f"run {self.run_id} was started without a tenant; start it through the gateway, as a child"
                f" workflow of a run, or with the memo {MEMO_TENANT}",
            )
        if (HEADER_FOREIGN in headers or self._has_foreign_part()) and workflow.patched(TENANT_MATCHES):
            raise tenant_mismatch(
                f"run {self.run_id} has tenant {self.tenant!r} in its memo, but its workflow id, its input or"
                " the state it continues from belongs to another tenant"
            )

    def _has_foreign_part(self) -> bool:
        carried = (self.journal.snapshot.tenant, *(event.tenantid for event in self.outbox.undelivered))
        return tenant_of(self.workflow_id) not in (None, self.tenant) or any(
            tenant != self.tenant for tenant in carried
        )

    def ensure_started(self) -> None:
        """Record `run.started` unless this or an earlier execution of the run has recorded an event."""
        if self.journal.snapshot.sequence > 0:
            return
        data = run_started(self.spec)
        self.outbox.add(self.journal.milestone("run.started", data, workflow.now()))

    def continue_after_reset(self) -> None:
        """Prepare `run.retried`: Temporal has reset the workflow, and its history continues differently.

        The workflow task at the reset point runs again. What it completes was completed before: such events
        keep their numbers and ids, and are deduplicated. `run.retried` comes before the first event that
        begins something anew, at the latest when the task has done its work. A reset gives the workflow a
        new random seed, which replays at the same place.
        """
        self._awaits_retried = True
        self._retried_task = asyncio.create_task(self._record_retried_when_idle())

    async def _record_retried_when_idle(self) -> None:
        await wait_until_idle()
        self._record_retried()

    def _record_retried(self) -> None:
        """Record `run.retried`, once.

        The events after the reset point were published with the numbers that would come next. The number
        skips ahead to the time in milliseconds, so that every number and every event id stays unique.
        """
        if not self._awaits_retried:
            return
        self._awaits_retried = False
        self.journal.skip_to(int(workflow.now().timestamp() * 1000))
        completed = tuple(step.name for step in self.journal.snapshot.steps if step.status == "completed")
        self.record_event("run.retried", catalogue.RunRetried(completed_steps=completed))

    def _on_random_seed(self, loop: asyncio.AbstractEventLoop) -> Callable[[int], None]:
        def on_random_seed(_: int) -> None:
            # The callback runs outside of the workflow's event loop.
            loop.call_soon(self.continue_after_reset)

        return on_random_seed

    def record_event(
        self, name: str, data: Struct, *, step: str | None = None, is_effect: bool = False
    ) -> CloudEvent:
        """Number a milestone, add it to the outbox and return it.

        A message may arrive before the workflow's code runs, so `run.started` is recorded first if needed.
        """
        self.ensure_started()
        if self._awaits_retried and name in CATALOGUE and name not in _REPEATED_AFTER_RESET:
            self._record_retried()
        event = self.journal.milestone(name, data, workflow.now(), step=step, is_effect=is_effect)
        self.outbox.add(event)
        return event

    def record_vote(self, decision: Decision) -> None:
        """Record the events of a vote: `approval.voted` if a policy governs it, and the outcome."""
        for name, data in vote_events(self.approvals.get(decision.approval_id), decision):
            self.record_event(name, data)
        if self.approvals.get(decision.approval_id).is_voted_out:
            self.outcomes.end(decision.approval_id)

    def progress(self, data: catalogue.StepProgress) -> None:
        """Fold progress into the snapshot and pass it to the worker process."""
        _offer(self.journal.progress(data, workflow.now(), step=data.step))

    def end_step(self, name: str, data: Struct, *, step: str) -> None:
        """Record how a step ended; the worker process discards the step's pending progress."""
        self.ensure_started()
        if name not in _REPEATED_AFTER_RESET:
            self._record_retried()
        event = self.journal.milestone(name, data, workflow.now(), step=step)
        self.outbox.add(event)
        _offer(event)

    async def until_resumed(self) -> None:
        """Wait while the run is paused, or for an announced cancel."""
        await self.hold_for_cancel()
        if self.paused:
            await workflow.wait_condition(lambda: not self.paused)

    def announce_cancel(self, reason: CancelReason) -> None:
        """Note why the run is being cancelled. From here on it accepts no decision and starts no work.

        The signal precedes the cancel request in the history. Both may reach the workflow in one task
        together with a decision, and signals are handled first: without this the decision would win.
        """
        self.cancel_reason = reason
        if not self._cancel_received and workflow.patched(CANCEL_WINS):
            self._cancel_announced_at = workflow.now()

    def receive_cancel(self) -> None:
        """Note that the cancel request itself has arrived."""
        self._cancel_received = workflow.patched(CANCEL_WINS)
        self._cancel_announced_at = None

    @property
    def is_cancelling(self) -> bool:
        """Whether a cancel was requested, or was announced and may still arrive."""
        announced_at = self._cancel_announced_at
        return self._cancel_received or (
            announced_at is not None and workflow.now() - announced_at < CANCEL_TIMEOUT
        )

    async def hold_for_cancel(self) -> None:
        """Wait for an announced cancel request, at most CANCEL_TIMEOUT after the announcement."""
        if self._cancel_announced_at is None:
            return
        remaining = CANCEL_TIMEOUT - (workflow.now() - self._cancel_announced_at)
        if remaining > timedelta():
            await workflow.sleep(remaining)
        self._cancel_announced_at = None

    def count_start(self, step: str) -> int:
        """Count and return the attempt that starts now; a step may be entered more than once."""
        self._starts[step] = self._starts.get(step, 0) + 1
        return self._starts[step]

    def take_running_step(self, step: str) -> StepState | None:
        """Return the step's state if the previous execution left it running; None on a second call."""
        return self._running_steps.pop(step, None)

    def remember_failure(self, error: BaseException, failure: Failure) -> None:
        self._failures.append((error, failure))

    def failure_for(self, error: BaseException) -> Failure | None:
        """Return the failure of the step that raised `error` or one of its causes."""
        found = (failure for cause in causes(error) for known, failure in self._failures if known is cause)
        return next(found, None)

    def carried_state(self) -> CarriedState:
        """Return what the run's next execution needs after continue-as-new."""
        return CarriedState(
            snapshot=self.journal.snapshot,
            undelivered=self.outbox.undelivered,
            asked=tuple(self.approvals.counts.items()),
            early=self.approvals.early_decisions,
            kept=self.kept,
            waits=self.waits.carried(),
            questions=self.approvals.carry(),
        )

    def _restore_question(self, event: CloudEvent, accepts_early: bool, refusal: str | None) -> None:
        self.journal.restore(event)
        recorded = decode_data(event, approval_data.ApprovalRequested)
        self.confirm_question(recorded, accepts_early=accepts_early)
        early = self.approvals.get(recorded.approval_id).early
        if early is not None and refusal is not None:
            self.record_event("approval.vote_refused", refused_vote(early.decision, refusal))

    def confirm_question(self, recorded: approval_data.ApprovalRequested, *, accepts_early: bool) -> None:
        """Open a question as the history has it, and vote with the decision that arrived before it."""
        early = self.approvals.confirm(recorded, workflow.now(), accepts_early=accepts_early)
        if early is not None:
            self.record_vote(early)

    def _restore_carried(self) -> None:
        payload = workflow.info().headers.get(HEADER_CARRIED)
        if payload is None:
            return
        carried = msgspec.json.decode(payload.data, type=CarriedState)
        starter, snapshot = run_starter(), carried.snapshot
        self.journal.snapshot = snapshot
        questions = restored_questions(carried.questions, self.spec, run=snapshot, starter=starter)
        self.approvals.restore(carried, questions)
        self.waits.restore(carried.waits)
        self._starts = {step.name: step.attempt for step in snapshot.steps}
        self._running_steps = {step.name: step for step in snapshot.steps if step.status == "running"}
        self.kept = msgspec.Raw(bytes(carried.kept))
        self.paused = snapshot.status == "paused"
        if carried.undelivered:
            self.outbox.add(*carried.undelivered)


def _offer(event: CloudEvent) -> None:
    offer = workflow.extern_functions().get(OFFER)
    if offer is not None and not workflow.unsafe.is_replaying():
        offer(event)
