"""Running a pipeline like a function: progress with text deltas, and typed results. Pure; no I/O."""

from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from signalbox_client.stream_follower import StreamEvent, Update
from signalbox_core.errors import Unavailable
from signalbox_core.events import Snapshot
from signalbox_core.pipeline.spec import PipelineSpec

T = TypeVar("T")
NOT_GIVEN: Final = object()


class Progress(Struct, Generic[T], frozen=True, kw_only=True):
    """The run after one frame of its stream.

    Attributes:
        event: None when the frame was a snapshot.
        text: what the running step has written so far (the last 32 kB); empty for a step that writes no text.
        added: the end of `text` that is new in this frame.
        restarted: the text began again, because the step was retried: discard the text before `added`.
        result: set in the last item only, typed by the pipeline's contract.
    """

    run_id: str
    snapshot: Snapshot
    event: StreamEvent | None = None
    text: str = ""
    added: str = ""
    restarted: bool = False
    result: T | None = None


class TextDelta:
    """Computes what each frame adds to the running step's text.

    A frame holds the end of the text only, so positions are counted in code points from the beginning.
    """

    def __init__(self) -> None:
        self._step = ""
        self._text = ""
        self._end = 0

    def advance(self, update: Update) -> tuple[str, str, bool]:
        """Return the text so far, the part that is new, and whether the text began again."""
        step = next((item for item in update.snapshot.steps if item.status == "running" and item.text), None)
        if step is None or step.text is None:
            return "", "", self._clear(update.snapshot)
        known = self._end - step.text_offset
        continues = (
            self._step == step.name
            and 0 <= known <= len(step.text)
            and self._text.endswith(step.text[:known])
        )
        restarted = bool(self._step) and not continues
        self._step, self._text, self._end = step.name, step.text, step.text_offset + len(step.text)
        return step.text, step.text[known:] if continues else step.text, restarted

    def _clear(self, snapshot: Snapshot) -> bool:
        """Whether the step lost its text while running, which means that it starts again."""
        restarted = any(item.name == self._step and item.status == "running" for item in snapshot.steps)
        self._step, self._text, self._end = "", "", 0
        return restarted


def make_progress(update: Update, delta: TextDelta, result: Any = None) -> Progress[Any]:
    text, added, restarted = delta.advance(update)
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


def pipeline_name(pipeline: "PipelineSpec[Any, Any] | str") -> str:
    return pipeline if isinstance(pipeline, str) else pipeline.name


def decode_result(body: bytes, pipeline: "PipelineSpec[Any, Any] | str", result: object) -> Any:
    """Decode a result as the contract's type, else as the type `result`, else leave it as JSON.

    Raises:
        Unavailable: the result does not have this type; contract and gateway are of different versions.
    """
    kind = pipeline.result if isinstance(pipeline, PipelineSpec) else result
    if kind is None:
        return msgspec.Raw(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        detail = (
            f"the result of {pipeline_name(pipeline)} does not match its contract ({error}):"
            " install the contract version that the gateway runs"
        )
        raise Unavailable(detail, code="other_contract") from None
