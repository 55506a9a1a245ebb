"""The contract of ai_task: one text in, one answer out, within a budget of tokens, money and time."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct, field

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import PipelineSpec, Step
from signalbox_pipelines.ai_task.schemas import Schema, check_schema

TaskKind = Literal["summarise", "extract", "classify", "generate"]
ProviderChoice = Literal["auto", "model", "local-extractive"]
LOCAL: Final = "local-extractive"
NOT_A_MODEL: Final = "not a language model"
A_MODEL: Final = "language model"


class Label(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One class. `cues` are words and phrases that speak for it; the offline provider counts them, a model reads them as hints."""

    name: Annotated[str, Meta(title="Name", min_length=1, max_length=80)]
    cues: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=80)], ...], Meta(title="Cues", max_length=50)
    ] = ()


class AiTaskInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person gives to start."""

    task: Annotated[TaskKind, Meta(title="Task")]
    text: Annotated[str, Meta(title="Text", description="What to work on", max_length=200_000)] = ""
    instruction: Annotated[
        str,
        Meta(
            title="Instruction",
            description="What to write (generate), or a wish for a model (the others)",
            max_length=8_000,
        ),
    ] = ""
    output_schema: Annotated[
        Schema | None,
        Meta(title="Schema", description="extract: JSON Schema of the object to find in the text"),
    ] = None
    labels: Annotated[
        tuple[Label, ...], Meta(title="Labels", description="classify: what the text can be", max_length=50)
    ] = ()
    sentences: Annotated[int, Meta(title="Sentences", description="summarise: how long", ge=1, le=20)] = 3
    provider: Annotated[
        ProviderChoice, Meta(title="Provider", description="auto: a model if one is set up, else offline")
    ] = "auto"
    max_output_tokens: Annotated[
        int, Meta(title="Longest answer", description="Tokens of one answer", ge=1, le=16_000)
    ] = 1_000
    max_tokens: Annotated[
        int,
        Meta(
            title="Token budget", description="Of all attempts together, read and written", ge=1, le=5_000_000
        ),
    ] = 100_000
    max_cost: Annotated[
        Decimal | None,
        Meta(title="Cost budget", description="Of all attempts together, in the model's currency"),
    ] = None
    max_attempts: Annotated[
        int, Meta(title="Attempts", description="How often the model is asked at most", ge=1, le=10)
    ] = 4
    deadline_s: Annotated[
        int, Meta(title="Deadline", description="Seconds for all attempts together", ge=5, le=3_600)
    ] = 300

    def __post_init__(self) -> None:
        check_input(self)


def check_input(task: AiTaskInput) -> None:
    """Rules that span fields.

    Raises:
        InvalidInput: naming the field.
    """
    if task.task == "generate":
        if not task.instruction.strip():
            raise InvalidInput("generate needs an instruction: say what to write", field="instruction")
        if task.provider == LOCAL:
            raise InvalidInput(REFUSES_TO_WRITE, field="provider", code="provider_refuses")
    elif not task.text.strip():
        raise InvalidInput(f"{task.task} needs a text to work on", field="text")
    if task.max_cost is not None and not (task.max_cost.is_finite() and task.max_cost >= 0):
        raise InvalidInput("max_cost must be a number from 0", field="max_cost")
    _check_labels(task)
    if task.task == "extract":
        if task.output_schema is None:
            raise InvalidInput(
                "extract needs output_schema, the JSON Schema of the object to find", field="output_schema"
            )
        check_schema(task.output_schema)


def _check_labels(task: AiTaskInput) -> None:
    if task.task != "classify":
        return
    names = [label.name for label in task.labels]
    if len(names) < 2:
        raise InvalidInput("classify needs at least two labels", field="labels")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidInput(f"labels names {twice[0]!r} twice; name each label once", field="labels")


REFUSES_TO_WRITE: Final = (
    "local-extractive is not a language model and writes no free text: it only takes from a text what is there. "
    "Set SIGNALBOX_WORKER_MODEL_URL and _NAME on the worker and use provider model, or choose summarise, extract or classify"
)


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of all attempts together, failed ones too. `estimated`: at least one attempt was not counted by the model's server.

    `cost` is null when the worker knows no prices.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    currency: str | None = None
    estimated: bool = False


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One call of the provider: `outcome` is `answered` or the code of its error; `waited_s` is the pause before it."""

    number: int
    kind: Literal["call", "repair"]
    outcome: str
    input_tokens: int = 0
    output_tokens: int = 0
    waited_s: float = 0.0


class AiTaskResult(Struct, frozen=True, kw_only=True):
    """The answer and where it came from.

    Attributes:
        text: the answer as text; of extract and classify the JSON.
        data: of extract the object, of classify `{"label", …}`; else null.
        key_phrases: of summarise; counted in the input, whoever wrote the summary.
        provider, model, label: what answered; `label` is `language model` or `not a language model`.
        truncated: the model stopped at `max_output_tokens`.
        repaired: the first answer missed the schema, this is the second.
        artifact: name of the file of the run that holds `text`.
    """

    task: TaskKind
    text: str
    data: Raw = field(default_factory=lambda: Raw(b"null"))
    key_phrases: tuple[str, ...] = ()
    provider: str
    model: str
    label: str
    truncated: bool = False
    repaired: bool = False
    usage: Usage = Usage()
    attempts: tuple[AttemptRecord, ...] = ()
    artifact: str = ""


SPEC: Final = PipelineSpec(
    name="ai_task",
    title="AI task",
    description="Summarises, extracts, classifies or writes a text: with the language model that is set up, or offline without one.",
    input=AiTaskInput,
    result=AiTaskResult,
    steps=(
        Step("validate_input", "Check the input"),
        Step("call_model", "Ask"),
        Step("process_result", "Check the answer"),
    ),
    workflow="signalbox_pipelines.ai_task.workflow:AiTask",
    activities="signalbox_pipelines.ai_task.activities:AiActivities",
)
