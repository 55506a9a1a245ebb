"""Contract of ai_task: one answer about one text, within a budget of tokens, cost and time."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct, field

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Find, PipelineSpec, Step
from signalbox_pipelines.ai_task.schemas import Schema, check_schema

TaskKind = Literal["summarise", "extract", "classify", "generate"]
ProviderChoice = Literal["auto", "model", "local-extractive"]
LOCAL_PROVIDER: Final = "local-extractive"
NOT_A_LANGUAGE_MODEL: Final = "not a language model"
LANGUAGE_MODEL: Final = "language model"


class Label(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class to choose.

    Attributes:
        cues: words and phrases that indicate the class; the offline provider counts them, a model gets them
            as hints.
    """

    name: Annotated[str, Meta(title="Name", min_length=1, max_length=80)]
    cues: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=80)], ...], Meta(title="Cues", max_length=50)
    ] = ()


class AiTaskInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of a run."""

    task: Annotated[TaskKind, Meta(title="Task"), Find()]
    text: Annotated[str, Meta(title="Text", description="What to work on", max_length=200_000)] = ""
    instruction: Annotated[
        str,
        Meta(
            title="Instruction",
            description="generate: what to write; other tasks: additional instructions for a model",
            max_length=8_000,
        ),
    ] = ""
    output_schema: Annotated[
        Schema | None,
        Meta(title="Schema", description="extract: JSON Schema of the object to extract"),
    ] = None
    labels: Annotated[
        tuple[Label, ...],
        Meta(title="Labels", description="classify: the classes to choose from", max_length=50),
    ] = ()
    sentences: Annotated[
        int, Meta(title="Sentences", description="summarise: number of sentences", ge=1, le=20)
    ] = 3
    provider: Annotated[
        ProviderChoice,
        Meta(title="Provider", description="auto: a language model if configured, else offline"),
    ] = "auto"
    max_output_tokens: Annotated[
        int, Meta(title="Maximum answer length", description="Tokens of one answer", ge=1, le=16_000)
    ] = 1_000
    max_tokens: Annotated[
        int,
        Meta(
            title="Token budget",
            description="Input and output tokens of all attempts together",
            ge=1,
            le=5_000_000,
        ),
    ] = 100_000
    max_cost: Annotated[
        Decimal | None,
        Meta(title="Cost budget", description="Cost of all attempts together, in the currency of the prices"),
    ] = None
    max_attempts: Annotated[
        int, Meta(title="Attempts", description="Maximum number of model calls", ge=1, le=10)
    ] = 4
    deadline_s: Annotated[
        int, Meta(title="Deadline", description="Seconds for all attempts together", ge=5, le=3_600)
    ] = 300

    def __post_init__(self) -> None:
        check_input(self)


def check_input(task: AiTaskInput) -> None:
    """Check the rules that involve several fields.

    Raises:
        InvalidInput: `field` names the offending field.
    """
    if task.task == "generate":
        if not task.instruction.strip():
            raise InvalidInput(
                "generate needs an instruction that describes what to write", field="instruction"
            )
        if task.provider == LOCAL_PROVIDER:
            raise InvalidInput(GENERATE_NEEDS_MODEL, field="provider", code="provider_refuses")
    elif not task.text.strip():
        raise InvalidInput(f"{task.task} needs a text to work on", field="text")
    if task.max_cost is not None and not (task.max_cost.is_finite() and task.max_cost >= 0):
        raise InvalidInput("max_cost must be a number, 0 or greater", field="max_cost")
    _check_labels(task)
    if task.task == "extract":
        if task.output_schema is None:
            raise InvalidInput(
                "extract needs output_schema, the JSON Schema of the object to extract", field="output_schema"
            )
        check_schema(task.output_schema)


def _check_labels(task: AiTaskInput) -> None:
    if task.task != "classify":
        return
    names = [label.name for label in task.labels]
    if len(names) < 2:
        raise InvalidInput("classify needs at least two labels", field="labels")
    duplicates = [name for name in names if names.count(name) > 1]
    if duplicates:
        raise InvalidInput(f"label {duplicates[0]!r} occurs twice; name each label once", field="labels")


GENERATE_NEEDS_MODEL: Final = (
    "local-extractive is not a language model and cannot generate text; "
    "set SIGNALBOX_WORKER_MODEL_URL and SIGNALBOX_WORKER_MODEL_NAME on the worker and use provider model, "
    "or choose summarise, extract or classify"
)


class TaskUsage(Struct, frozen=True, kw_only=True):
    """Tokens and cost of all attempts, including failed ones.

    Attributes:
        cost: null when no prices are configured.
        estimated: the server reported no usage for at least one attempt.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    currency: str | None = None
    estimated: bool = False


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One call of the provider.

    Attributes:
        outcome: `answered`, or the error code.
        waited_s: delay before the call, in seconds.
    """

    number: int
    kind: Literal["call", "repair"]
    outcome: str
    input_tokens: int = 0
    output_tokens: int = 0
    waited_s: float = 0.0


class AiTaskResult(Struct, frozen=True, kw_only=True):
    """The answer, its provider and its usage.

    Attributes:
        text: the answer as text; for extract and classify, its JSON.
        data: for extract, the object; for classify, `{"label", …}`; else null.
        key_phrases: for summarise; found in the input text by rules, with both providers.
        label: `language model` or `not a language model`.
        truncated: the answer reached `max_output_tokens`.
        repaired: the first answer did not match the schema; this is the corrected one.
        artifact: name of the artifact that contains `text`.
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
    usage: TaskUsage = TaskUsage()
    attempts: tuple[AttemptRecord, ...] = ()
    artifact: str = ""


SPEC: Final = PipelineSpec(
    name="ai_task",
    title="AI task",
    description="Summarises, extracts, classifies or generates text, with a language model or offline.",
    subject="{task}",
    input=AiTaskInput,
    result=AiTaskResult,
    steps=(
        Step("validate_input", "Check the input"),
        Step("call_model", "Call the model"),
        Step("process_result", "Check the answer"),
    ),
    workflow="signalbox_pipelines.ai_task.workflow:AiTaskWorkflow",
    activities="signalbox_pipelines.ai_task.activities:AiActivities",
)
