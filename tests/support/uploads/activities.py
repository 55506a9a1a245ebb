"""The work of `letter`."""

from temporalio import activity

from signalbox_core.pipeline.deps import ActivityDeps
from support.uploads.contract import LetterInput


class Activities:
    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name="letter.read")
    async def read(self, request: LetterInput) -> int:
        """Read the letter. Idempotent: it only reads."""
        return len(await self._deps.read_upload(request.letter))
