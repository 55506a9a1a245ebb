"""A tiny pipeline for tests: one step, one question, the answer is the result."""

from datetime import timedelta
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from signalbox_core.errors import InvalidInput
    from signalbox_core.events.question_digest import QuestionContent
    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.spec import Approval, Find, PipelineSpec, Policy, Step, json_schema


class EchoInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ask` makes the run wait for a person, by `policy` if it is given; `number` is shown as evidence.

    `about` is what the question is about, `proposal` the word that it proposes.
    """

    text: Annotated[str, Meta(title="Text", min_length=1, max_length=200), Find()]
    times: Annotated[int, Meta(title="Times", ge=1, le=10)] = 1
    ask: bool = False
    number: int | UnsetType = UNSET
    artifact: str | None = None
    fail: bool = False
    policy: Policy | UnsetType = UNSET
    about: str | UnsetType = UNSET
    proposal: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.text.isspace():
            raise InvalidInput("text must not be blank; say something", field="text")


class EchoResult(Struct, frozen=True, kw_only=True):
    text: str


class EchoAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: Annotated[str, Meta(min_length=1, max_length=20)]


SPEC: Final = PipelineSpec(
    name="echo",
    title="Echo",
    input=EchoInput,
    result=EchoResult,
    steps=(Step("speak", "Speak"), Step("listen", "Listen")),
    approvals=(
        Approval(name="word", title="Which word?", answer=EchoAnswer, deadline=timedelta(days=1), links=True),
    ),
    workflow="support.fakes.echo_pipeline:Echo",
    subject="Echo of {text}",
    activities="support.fakes.echo_pipeline:none",
)


def word_digest(text: str) -> str:
    """The digest of the question of a run with this text."""
    return QuestionContent(
        title="Which word?",
        answer_schema=msgspec.Raw(msgspec.json.encode(json_schema(EchoAnswer))),
        options=msgspec.Raw(msgspec.json.encode([text])),
        evidence=msgspec.Raw(b"null"),
    ).digest


WORD_DIGEST: Final = word_digest("hi")
"""Of a run that `support.drivers.api_calls` starts."""


def check_word(answer: EchoAnswer) -> None:
    if answer.word == "taboo":
        raise InvalidInput("word 'taboo' is not among the words; choose another", field="word")


@workflow.defn(name="echo")
class Echo:
    @workflow.init
    def __init__(self, _request: EchoInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: EchoInput) -> EchoResult:
        async with self.signalbox as run:
            async with run.step("speak"):
                words = " ".join([request.text] * request.times)
                if request.artifact is not None:
                    run.artifact(
                        request.artifact, ObjectRef(key="echo/file", media_type="image/png", size_bytes=3)
                    )
                if request.fail:
                    raise ApplicationError(
                        "the text could not be spoken; choose another", type="unspeakable", non_retryable=True
                    )
            if not request.ask:
                return EchoResult(text=words)
            async with run.step("listen"):
                answer: EchoAnswer = await run.ask(
                    "word",
                    options=[words],
                    evidence=None if request.number is UNSET else request.number,
                    check=check_word,
                    policy=request.policy or None,
                    subject=request.about or None,
                    proposal={"word": request.proposal} if request.proposal else None,
                )
            return EchoResult(text=answer.word)
