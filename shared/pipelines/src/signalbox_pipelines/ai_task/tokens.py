"""Tokens without a tokenizer: an estimate on the safe side, for budgets and for servers that do not count."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from signalbox_core.chat_model.wire import Message

_BYTES_A_TOKEN: Final = 3
"""English has about 4 bytes a token, Vietnamese about 3 with today's tokenizers."""
_A_MESSAGE: Final = 8


def tokens_in(text: str) -> int:
    return ceil(len(text.encode(errors="replace")) / _BYTES_A_TOKEN)


def tokens_of(messages: Sequence[Message]) -> int:
    return sum(_A_MESSAGE + tokens_in(message.content or "") for message in messages)
