"""Workflow of ai_task: validate the input, call the model, check the answer, repair it once if it is invalid.

The workflow retries model calls itself, one activity execution per attempt: the budget is workflow state and
is checked before every attempt.
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
    from signalbox_pipelines.ai_task.attempt_failure import retryable_failure
    from signalbox_pipelines.ai_task.budget import RunBudget
    from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult
    from signalbox_pipelines.ai_task.messages import (
        AttemptKind,
        CallPlan,
        CallRequest,
        CheckedAnswer,
        ModelReply,
        ProcessRequest,
    )
    from signalbox_pipelines.ai_task.tokens import estimate_tokens

CHECK: Final = CallOptions(timeout=timedelta(seconds=20), maximum_attempts=3)
STORE: Final = CallOptions(timeout=timedelta(seconds=60), maximum_attempts=5)
HEARTBEAT: Final = timedelta(seconds=15)
ARTIFACT: Final = "answer"


@workflow.defn(name="ai_task")
class AiTaskWorkflow:
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
            self.plan, self.budget = plan, RunBudget(request, plan, workflow.now())
            reply = await self._call_model("call")
            checked = await self._check(reply)
            is_repaired = bool(checked.problems) and plan.can_repair
            if is_repaired:
                reply = await self._call_model("repair", reply.text, checked.problems)
                checked = await self._check(reply)
            if checked.problems:
                raise Rejected(
                    _mismatch_message(plan, checked, is_repaired),
                    code="schema_mismatch",
                    field="output_schema",
                )
            ref = ObjectRef(key=checked.key, media_type=checked.media_type, size_bytes=checked.size_bytes)
            run.artifact(ARTIFACT, ref, title="Answer")
            return self._result(reply, checked, is_repaired)

    async def _call_model(
        self, kind: AttemptKind, missed: str = "", problems: tuple[str, ...] = ()
    ) -> ModelReply:
        """Call the model until it answers or the budget is used up."""
        async with self.signalbox.step("call_model") as step:
            extra = estimate_tokens(missed) + sum(estimate_tokens(problem) for problem in problems)
            while True:
                self.budget.check_next_attempt(workflow.now(), extra_input_tokens=extra)
                number = self.budget.next_number
                request = CallRequest(
                    task=self.request, plan=self.plan, number=number, missed=missed, problems=problems
                )
                try:
                    reply = await self._attempt(kind, request)
                except ActivityError as error:
                    await self._back_off(step, kind, error)
                    continue
                self.budget.record_answer(kind, reply.spent)
                step.say(
                    f"{len(reply.text)} characters by {self.plan.model}, {self.plan.label}; attempt {number}"
                )
                return reply

    async def _attempt(self, kind: AttemptKind, request: CallRequest) -> ModelReply:
        time_left = _time_left(self.budget.deadline_at, workflow.now())
        # The activity id is part of the Idempotency-Key: equal for all attempts, but different for a repair.
        return await workflow.execute_activity_method(
            AiActivities.call_model,
            request,
            activity_id=f"{kind}-model",
            start_to_close_timeout=time_left,
            schedule_to_start_timeout=time_left,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )

    async def _back_off(self, step: StepScope, kind: AttemptKind, error: ActivityError) -> None:
        """Wait before the next attempt.

        Raises:
            ActivityError: the run is cancelled, or a retry cannot succeed.
            Rejected: no attempt or no time is left.
        """
        if is_cancelled_exception(error):
            raise error
        failure = retryable_failure(error)
        if failure is None:
            raise error
        number = self.budget.next_number
        delay_s = self.budget.record_failure(kind, failure, workflow.now())
        step.progress(0, message=f"attempt {number} failed: {failure.message}; next attempt in {delay_s:g} s")
        await workflow.sleep(delay_s)

    async def _check(self, reply: ModelReply) -> CheckedAnswer:
        async with self.signalbox.step("process_result") as step:
            checked = await step.call(
                AiActivities.process_result, ProcessRequest(task=self.request, text=reply.text), STORE
            )
            step.say(checked.problems[0] if checked.problems else f"{len(checked.text)} characters")
            return checked

    def _result(self, reply: ModelReply, checked: CheckedAnswer, is_repaired: bool) -> AiTaskResult:
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
            usage=self.budget.usage,
            attempts=tuple(self.budget.attempts),
            artifact=ARTIFACT,
        )


def _time_left(deadline_at: datetime, now: datetime) -> timedelta:
    return max(timedelta(seconds=1), deadline_at - now)


def _mismatch_message(plan: CallPlan, checked: CheckedAnswer, is_repaired: bool) -> str:
    repaired = " even after one repair" if is_repaired else ""
    problems = "; ".join(checked.problems[:3])
    return f"the answer of {plan.model} ({plan.label}) is invalid{repaired}: {problems}"
