"""Removes a model's reasoning, `<think>…</think>`, from its answer. Pure."""

from typing import Final

_TAGS: Final = (("<think>", "</think>"), ("<thinking>", "</thinking>"))


class ReasoningFilter:
    """Removes the reasoning that a streamed answer begins with.

    Attributes:
        is_open: the reasoning has begun and not ended.
    """

    def __init__(self) -> None:
        self._held = ""
        self._end: str | None = None
        self._has_reasoned = False
        self._is_answer = False

    @property
    def is_open(self) -> bool:
        return self._end is not None

    def feed(self, text: str) -> str:
        """Return the part of the answer that `text` completes."""
        if self._is_answer:
            return text
        self._held += text
        return self._skip_reasoning() if self._end is not None else self._detect()

    def finish(self) -> str:
        """Return what was held back, because it could have been the beginning of a tag."""
        return "" if self.is_open else self._held

    def _detect(self) -> str:
        start = self._held.lstrip()
        for opening, closing in _TAGS:
            if start.startswith(opening):
                self._held, self._end = start[len(opening) :], closing
                return self._skip_reasoning()
        if any(opening.startswith(start) for opening, _ in _TAGS):
            return ""
        return self._answer(start if self._has_reasoned else self._held)

    def _skip_reasoning(self) -> str:
        closing = self._end or ""
        _, found, answer = self._held.partition(closing)
        if not found:
            self._held = self._held[-len(closing) :]
            return ""
        self._end, self._has_reasoned = None, True
        # Another block of reasoning may begin.
        self._held = answer
        return self._detect()

    def _answer(self, text: str) -> str:
        self._held, self._is_answer = "", True
        return text


def without_reasoning(text: str) -> str:
    """Remove reasoning from a whole answer, also where the server has cut off its opening tag."""
    reasoning = ReasoningFilter()
    answer = reasoning.feed(text) + reasoning.finish()
    for opening, closing in _TAGS:
        if closing in answer and opening not in answer:
            answer = answer.rpartition(closing)[2]
    return answer.strip() if answer != text else text
