"""The contract of the stages pipeline."""

from datetime import timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from signalbox_core.pipeline.spec import Approval, PipelineSpec, Step


class StagesInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attributes:
    folder: where each completed call leaves a line, and where a file `broken` makes `fail_at` fail.
    items: the number of calls of the step `second`.
    ask: ask a person before the step `third`.
    """

    folder: Annotated[str, Meta(title="Folder")]
    fail_at: str = ""
    items: Annotated[int, Meta(ge=1, le=100)] = 1
    ask: bool = False
    seconds: float = 0.0


class StagesAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: str


class StagesResult(Struct, frozen=True, kw_only=True):
    words: tuple[str, ...]


GO: Final = Approval(name="go", title="Go on?", answer=StagesAnswer, deadline=timedelta(days=1))
SPEC: Final = PipelineSpec(
    name="stages",
    title="Stages",
    input=StagesInput,
    result=StagesResult,
    steps=(Step("first", "First"), Step("second", "Second"), Step("third", "Third")),
    approvals=(GO,),
    workflow="support.staged.stages.workflow:Stages",
    activities="support.staged.stages.activities",
    subject="{folder.name}",
)
