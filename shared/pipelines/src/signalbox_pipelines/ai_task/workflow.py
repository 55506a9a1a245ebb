"""The story of one ai_task run: check, ask (again while the budget lasts), check the answer, repair it once.

Attempts are the workflow's own, one activity execution each, because the budget is workflow state and is checked before every one.
"""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from signalbox_core.errors import Rejected
    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.workflow.steps import StepScope
    from signalbox_pipelines.ai_task.activities import AiActivities
    from signalbox_pipelines.ai_task.budget import Ledger
    from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult
    from signalbox_pipelines.ai_task.failed_attempts import miss_of
    from signalbox_pipelines.ai_task.messages import CallRequest, Checked, Kind, Plan, ProcessRequest, Reply
    from signalbox_pipelines.ai_task.tokens import tokens_in

CHECK: Final = CallOptions(timeout=timedelta(seconds=20), maximum_attempts=3)
STORE: Final = CallOptions(timeout=timedelta(seconds=60), maximum_attempts=5)
HEARTBEAT: Final = timedelta(seconds=15)
ARTIFACT: Final = "answer"


@workflow.defn(name="ai_task")
class AiTask:
    @workflow.init
    def __init__(self, request: AiTaskInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request

    @workflow.run
    async def run(self, request: AiTaskInput) -> AiTaskResult:
        async with self.signalbox as run:
            async with run.step("validate_input") as step:
                plan = await step.call(AiActivities.validate_input, request, CHECK)
                step.say(f"{plan.model}, {plan.label}")
            self.plan, self.ledger = plan, Ledger(request, plan, workflow.now())
            reply = await self._ask("call")
            checked = await self._check(reply)
            is_repaired = bool(checked.problems) and plan.can_repair
            if is_repaired:
                reply = await self._ask("repair", reply.text, checked.problems)
                checked = await self._check(reply)
            if checked.problems:
                raise Rejected(
                    _misses(plan, checked, is_repaired), code="schema_mismatch", field="output_schema"
                )
            ref = ObjectRef(key=checked.key, media_type=checked.media_type, size_bytes=checked.size_bytes)
            run.artifact(ARTIFACT, ref, title="Answer")
            return self._result(reply, checked, is_repaired)

    async def _ask(self, kind: Kind, missed: str = "", problems: tuple[str, ...] = ()) -> Reply:
        """One answer, in as many attempts as budget and time allow."""
        async with self.signalbox.step("call_model") as step:
            more = tokens_in(missed) + sum(tokens_in(problem) for problem in problems)
            while True:
                self.ledger.check(workflow.now(), more_tokens=more)
                number = self.ledger.next_number
                request = CallRequest(
                    task=self.request, plan=self.plan, number=number, missed=missed, problems=problems
                )
                try:
                    reply = await self._attempt(kind, request)
                except ActivityError as error:
                    await self._wait(step, kind, error)
                    continue
                self.ledger.answered(kind, reply.spent)
                step.say(
                    f"{len(reply.text)} characters by {self.plan.model}, {self.plan.label}; attempt {number}"
                )
                return reply

    async def _attempt(self, kind: Kind, request: CallRequest) -> Reply:
        # The same activity id for every attempt: it is half of the Idempotency-Key, and a repair is another question.
        return await workflow.execute_activity_method(
            AiActivities.call_model,
            request,
            activity_id=f"{kind}-model",
            start_to_close_timeout=_left(self.ledger.deadline_at, workflow.now()),
            schedule_to_start_timeout=_left(self.ledger.deadline_at, workflow.now()),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )

    async def _wait(self, step: StepScope, kind: Kind, error: ActivityError) -> None:
        """Wait before the next attempt, as long as the server asked; or end the run when there is no next one."""
        if is_cancelled_exception(error):
            raise error
        miss = miss_of(error)
        if miss is None:
            raise error
        number = self.ledger.next_number
        wait = self.ledger.missed(kind, miss, workflow.now())
        step.progress(0, message=f"attempt {number} failed: {miss.message}; the next in {wait:g} s")
        await workflow.sleep(wait)

    async def _check(self, reply: Reply) -> Checked:
        async with self.signalbox.step("process_result") as step:
            checked = await step.call(
                AiActivities.process_result, ProcessRequest(task=self.request, text=reply.text), STORE
            )
            step.say(checked.problems[0] if checked.problems else f"{len(checked.text)} characters")
            return checked

    def _result(self, reply: Reply, checked: Checked, is_repaired: bool) -> AiTaskResult:
        return AiTaskResult(
            task=self.request.task,
            text=checked.text,
            data=checked.data,
            key_phrases=checked.key_phrases,
            provider=self.plan.provider,
            model=self.plan.model,
            label=self.plan.label,
            truncated=reply.truncated,
            repaired=is_repaired,
            usage=self.ledger.usage,
            attempts=tuple(self.ledger.attempts),
            artifact=ARTIFACT,
        )


def _left(deadline_at: datetime, now: datetime) -> timedelta:
    return max(timedelta(seconds=1), deadline_at - now)


def _misses(plan: Plan, checked: Checked, is_repaired: bool) -> str:
    again = " even after one repair" if is_repaired else ""
    return f"the answer of {plan.model} ({plan.label}) is not what was asked for{again}: {'; '.join(checked.problems[:3])}"
