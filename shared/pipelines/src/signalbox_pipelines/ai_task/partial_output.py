"""Telling an answer while it is written: what is new, about every 250 ms, whether or not the model says something."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from signalbox_core.chat_model.client import Piece
from signalbox_core.chat_model.wire import Usage
from signalbox_pipelines.ai_task.messages import Spent
from signalbox_pipelines.ai_task.tokens import tokens_in

EVERY_S: Final = 0.25
_CHARS_A_TOKEN: Final = 12
"""More than any language has: an answer longer than this many times its limit comes from a server that ignores the limit."""

Tell = Callable[[str], None]


class Gathered:
    """The answer so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._told = 0
        self.chars = 0
        self.finish: str | None = None
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, piece: Piece) -> None:
        if piece.text:
            self._pieces.append(piece.text)
            self.chars += len(piece.text)
        self.finish = piece.finish or self.finish
        self.usage = piece.usage or self.usage

    def take_news(self) -> str:
        news = "".join(self._pieces[self._told :])
        self._told = len(self._pieces)
        return news

    def spent(self, input_tokens: int) -> Spent:
        """As the server counted, else estimated; nothing was read when it never began to answer."""
        if self.usage is not None:
            return Spent(input_tokens=self.usage.prompt_tokens, output_tokens=self.usage.completion_tokens)
        read = input_tokens if self.chars else 0
        return Spent(input_tokens=read, output_tokens=tokens_in(self.text), estimated=bool(self.chars))


async def relay(
    pieces: AsyncGenerator[Piece, None],
    gathered: Gathered,
    tell: Tell,
    *,
    max_tokens: int,
    every_s: float = EVERY_S,
) -> None:
    """Gather until the answer ends; the caller has what was gathered even when it breaks off."""
    async with contextlib.aclosing(pieces), _ticking(gathered, tell, every_s):
        async for piece in pieces:
            is_first = gathered.chars == 0 and bool(piece.text)
            gathered.add(piece)
            if is_first:
                tell(gathered.take_news())
            if gathered.chars > max_tokens * _CHARS_A_TOKEN:
                gathered.finish = "length"
                return


@contextlib.asynccontextmanager
async def _ticking(gathered: Gathered, tell: Tell, every_s: float) -> AsyncIterator[None]:
    async def tick() -> None:
        while True:
            await asyncio.sleep(every_s)
            tell(gathered.take_news())

    ticker = asyncio.create_task(tick(), name="relay")
    try:
        yield
    finally:
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)
        tell(gathered.take_news())
