"""The contract of `letter`."""

from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.pipeline import PipelineSpec, Step, Upload


class LetterInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    letter: Annotated[Upload, Meta(title="Letter", description="As PDF or text")]
    enclosure: Upload | None = None


class LetterResult(Struct, frozen=True, kw_only=True):
    size_bytes: int


SPEC = PipelineSpec(
    name="letter",
    title="Letter",
    input=LetterInput,
    result=LetterResult,
    workflow="support.uploads.workflow:Letter",
    steps=(Step("read", "Read"),),
)
