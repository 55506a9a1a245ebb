"""The work of the login pipeline; it is as talkative as careless code would be."""

from temporalio import activity

from planted_pipelines.login.contract import LoginInput
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.activity import progress
from signalbox_core.pipeline.deps import ActivityDeps


class Activities:
    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name="login.enter")
    async def enter(self, request: LoginInput) -> int:
        """Idempotent: pure."""
        activity.logger.info("entering with %s", request)
        progress(1, of=1, message=f"entering with {request.password}")
        if request.user == "nobody":
            raise InvalidInput(f"{request} is not known; register first", field="user")
        await self._deps.objects.put_new(f"login/{request.user}", repr(request).encode(), "text/plain")
        return len(self._deps.reveal(request.password))
