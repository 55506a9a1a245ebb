"""What the workflow and its activities hand each other."""

from typing import Literal

from msgspec import Raw, Struct

from signalbox_core.chat_model.settings import Prices
from signalbox_pipelines.ai_task.contract import AiTaskInput

Kind = Literal["call", "repair"]


class Plan(Struct, frozen=True, kw_only=True):
    """Who answers, and what one call can cost at most.

    Attributes:
        label: `language model` or `not a language model`.
        input_tokens: an estimate on the safe side, for the budget; 0 when no model is asked.
        output_tokens: at most, by one call; 0 likewise.
        can_repair: whether asking again, with what was wrong, can give another answer.
    """

    provider: Literal["model", "local-extractive"]
    model: str
    label: str
    input_tokens: int = 0
    output_tokens: int = 0
    prices: Prices | None = None
    can_repair: bool = False


class CallRequest(Struct, frozen=True, kw_only=True):
    """One attempt; `number` counts all attempts of the run from 1. `missed` and `problems` make it a repair."""

    task: AiTaskInput
    plan: Plan
    number: int
    missed: str = ""
    problems: tuple[str, ...] = ()


class Spent(Struct, frozen=True, kw_only=True):
    """Tokens of one attempt; `estimated` when the server did not count them."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False


class Reply(Struct, frozen=True, kw_only=True):
    text: str
    spent: Spent
    truncated: bool = False


class ProcessRequest(Struct, frozen=True, kw_only=True):
    task: AiTaskInput
    text: str


class Checked(Struct, frozen=True, kw_only=True):
    """The answer in its final form, or why it is none. `key` names the stored file."""

    problems: tuple[str, ...] = ()
    text: str = ""
    data: Raw = Raw(b"null")
    key_phrases: tuple[str, ...] = ()
    key: str = ""
    media_type: str = "text/plain"
    size_bytes: int = 0
