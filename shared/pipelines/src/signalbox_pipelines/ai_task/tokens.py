"""Token estimates without a tokenizer, rounded up: for budgets, and for servers that report no usage."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from signalbox_core.chat_model.wire import ChatMessage

_BYTES_PER_TOKEN: Final = 3
"""Current tokenizers average about 4 bytes for English and 3 for Vietnamese."""
_TOKENS_PER_MESSAGE: Final = 8


def estimate_tokens(text: str) -> int:
    return ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)


def estimate_prompt_tokens(messages: Sequence[ChatMessage]) -> int:
    return sum(_TOKENS_PER_MESSAGE + estimate_tokens(message.content or "") for message in messages)
