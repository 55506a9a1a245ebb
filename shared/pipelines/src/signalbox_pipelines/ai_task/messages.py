"""Arguments and results of the activities of ai_task."""

from typing import Literal

from msgspec import Raw, Struct

from signalbox_core.chat_model.settings import TokenPrices
from signalbox_pipelines.ai_task.contract import AiTaskInput

AttemptKind = Literal["call", "repair"]


class CallPlan(Struct, frozen=True, kw_only=True):
    """The selected provider and the maximum tokens of one call.

    Attributes:
        label: `language model` or `not a language model`.
        input_tokens: an upper estimate; 0 for the offline provider.
        output_tokens: maximum of one call; 0 for the offline provider.
        can_repair: whether an answer that fails validation is sent back to the model for correction.
    """

    provider: Literal["model", "local-extractive"]
    model: str
    label: str
    input_tokens: int = 0
    output_tokens: int = 0
    prices: TokenPrices | None = None
    can_repair: bool = False


class CallRequest(Struct, frozen=True, kw_only=True):
    """One attempt.

    Attributes:
        number: counts all attempts of the run from 1.
        missed: for a repair, the answer that failed validation.
        problems: for a repair, why it failed.
    """

    task: AiTaskInput
    plan: CallPlan
    number: int
    missed: str = ""
    problems: tuple[str, ...] = ()


class AttemptUsage(Struct, frozen=True, kw_only=True):
    """Tokens of one attempt; `estimated` when the server did not report them."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False


class ModelReply(Struct, frozen=True, kw_only=True):
    text: str
    spent: AttemptUsage
    truncated: bool = False


class ProcessRequest(Struct, frozen=True, kw_only=True):
    task: AiTaskInput
    text: str


class CheckedAnswer(Struct, frozen=True, kw_only=True):
    """The validated and stored answer (`key` is its object key), or the `problems` that validation found."""

    problems: tuple[str, ...] = ()
    text: str = ""
    data: Raw = Raw(b"null")
    key_phrases: tuple[str, ...] = ()
    key: str = ""
    media_type: str = "text/plain"
    size_bytes: int = 0
