"""Collects a streamed answer and reports new text at a fixed interval, also while the model is silent."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from signalbox_core.chat_model.client import CompletionChunk
from signalbox_core.chat_model.wire import TokenUsage
from signalbox_pipelines.ai_task.messages import AttemptUsage
from signalbox_pipelines.ai_task.tokens import estimate_tokens

REPORT_INTERVAL_S: Final = 0.25
_MAX_CHARS_PER_TOKEN: Final = 12
"""Above the average of any language: a longer answer comes from a server that ignores `max_tokens`."""

ReportText = Callable[[str], None]


class PartialOutput:
    """The answer received so far."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._reported_parts = 0
        self.chars = 0
        self.finish_reason: str | None = None
        self.usage: TokenUsage | None = None

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, chunk: CompletionChunk) -> None:
        if chunk.text:
            self._parts.append(chunk.text)
            self.chars += len(chunk.text)
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.usage = chunk.usage or self.usage

    def take_new_text(self) -> str:
        """Return the text added since the last call."""
        new_text = "".join(self._parts[self._reported_parts :])
        self._reported_parts = len(self._parts)
        return new_text

    def attempt_usage(self, input_tokens: int) -> AttemptUsage:
        """Return the tokens as the server reported them, else an estimate; zero if no text arrived.

        Args:
            input_tokens: estimate of the prompt.
        """
        if self.usage is not None:
            return AttemptUsage(
                input_tokens=self.usage.prompt_tokens, output_tokens=self.usage.completion_tokens
            )
        if not self.chars:
            return AttemptUsage()
        return AttemptUsage(
            input_tokens=input_tokens, output_tokens=estimate_tokens(self.text), estimated=True
        )


async def collect_output(
    chunks: AsyncGenerator[CompletionChunk, None],
    output: PartialOutput,
    report: ReportText,
    *,
    max_tokens: int,
    interval_s: float = REPORT_INTERVAL_S,
) -> None:
    """Add all chunks to `output`, which keeps the partial answer when the stream fails.

    Args:
        report: called with the first text at once, then every `interval_s` and at the end with the new text,
            which may be empty.
        max_tokens: a much longer answer is cut off, with `finish_reason` `length`.
    """
    async with contextlib.aclosing(chunks), _periodic_reports(output, report, interval_s):
        async for chunk in chunks:
            is_first = output.chars == 0 and bool(chunk.text)
            output.add(chunk)
            if is_first:
                report(output.take_new_text())
            if output.chars > max_tokens * _MAX_CHARS_PER_TOKEN:
                output.finish_reason = "length"
                return


@contextlib.asynccontextmanager
async def _periodic_reports(
    output: PartialOutput, report: ReportText, interval_s: float
) -> AsyncIterator[None]:
    async def report_forever() -> None:
        while True:
            await asyncio.sleep(interval_s)
            report(output.take_new_text())

    reporter = asyncio.create_task(report_forever(), name="report partial output")
    try:
        yield
    finally:
        reporter.cancel()
        await asyncio.gather(reporter, return_exceptions=True)
        report(output.take_new_text())
