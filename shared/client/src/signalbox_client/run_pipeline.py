"""A pipeline as a function: what to start, what its result is, and what is said on the way. Pure; the clients do the calling."""

from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from signalbox_client.stream_follower import StreamEvent, Update
from signalbox_core.errors import Unavailable
from signalbox_core.events import Snapshot
from signalbox_core.pipeline.spec import PipelineSpec

T = TypeVar("T")
NOTHING: Final = object()


class Progress(Struct, Generic[T], frozen=True, kw_only=True):
    """The run after one frame of its stream.

    Attributes:
        event: None when the frame was a snapshot.
        text: what the running step has written so far (its last 32 kB); empty when it writes nothing.
        added: the end of `text` that was not in the frame before.
        restarted: the text began again (another attempt): forget what was added before.
        result: in the last one only, typed as the pipeline's contract says.
    """

    run_id: str
    snapshot: Snapshot
    event: StreamEvent | None = None
    text: str = ""
    added: str = ""
    restarted: bool = False
    result: T | None = None


class Words:
    """What is new in the text of the running step. A position counts code points from the beginning of the text."""

    def __init__(self) -> None:
        self._step = ""
        self._text = ""
        self._end = 0

    def take(self, update: Update) -> tuple[str, str, bool]:
        """The text so far, what was added, and whether it began again."""
        step = next((item for item in update.snapshot.steps if item.status == "running" and item.text), None)
        if step is None or step.text is None:
            return "", "", self._forget(update.snapshot)
        known = self._end - step.text_offset
        goes_on = (
            self._step == step.name
            and 0 <= known <= len(step.text)
            and self._text.endswith(step.text[:known])
        )
        restarted = bool(self._step) and not goes_on
        self._step, self._text, self._end = step.name, step.text, step.text_offset + len(step.text)
        return step.text, step.text[known:] if goes_on else step.text, restarted

    def _forget(self, snapshot: Snapshot) -> bool:
        """A step that still runs without its text begins it again; one that has ended is done with it."""
        restarted = any(item.name == self._step and item.status == "running" for item in snapshot.steps)
        self._step, self._text, self._end = "", "", 0
        return restarted


def progress_of(update: Update, words: Words, result: Any) -> Progress[Any]:
    text, added, restarted = words.take(update)
    snapshot = update.snapshot
    return Progress(
        run_id=snapshot.run_id,
        snapshot=snapshot,
        event=update.event,
        text=text,
        added=added,
        restarted=restarted,
        result=result,
    )


def name_of(pipeline: "PipelineSpec[Any, Any] | str") -> str:
    return pipeline if isinstance(pipeline, str) else pipeline.name


def typed(body: bytes, pipeline: "PipelineSpec[Any, Any] | str", result: object) -> Any:
    """The result as the contract's type, or as the one that the caller names; as JSON when it names none.

    Raises:
        Unavailable: the gateway's pipeline answers something else; contract and gateway are of different versions.
    """
    kind = pipeline.result if isinstance(pipeline, PipelineSpec) else result
    if kind is None:
        return msgspec.Raw(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        detail = f"the result of {name_of(pipeline)} is not what the contract says ({error}): install the gateway's version of it"
        raise Unavailable(detail, code="other_contract") from None
