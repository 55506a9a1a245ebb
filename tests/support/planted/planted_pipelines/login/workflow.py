"""One step."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from planted_pipelines.login.activities import Activities
    from planted_pipelines.login.contract import SPEC, LoginInput, LoginResult
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import Run

QUICK = CallOptions(
    timeout=timedelta(seconds=10), maximum_attempts=2, first_retry_after=timedelta(milliseconds=10)
)


@workflow.defn(name="login")
class Login:
    @workflow.init
    def __init__(self, _request: LoginInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: LoginInput) -> LoginResult:
        async with self.signalbox as run:
            workflow.logger.info("login with %s", request)
            async with run.step("enter") as step:
                return LoginResult(length=await step.call(Activities.enter, request, QUICK))
