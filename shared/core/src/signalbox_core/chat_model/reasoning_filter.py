"""Removes a model's reasoning, `<think>…</think>`, from its answer. Pure."""

from typing import Final

_TAGS: Final = (("<think>", "</think>"), ("<thinking>", "</thinking>"))


class ReasoningFilter:
    """Removes the reasoning that a streamed answer begins with.

    Attributes:
        is_open: the reasoning has begun and not ended.
    """

    def __init__(self) -> None:
        self._spaces: list[str] = []
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
        if self._end is None and not self._held:
            text = self._hold_spaces(text)
        self._held += text
        while self._held and not self._is_answer:
            if self._end is not None:
                if not self._skip_reasoning(self._end):
                    return ""
            elif opened := next((tags for tags in _TAGS if self._held.startswith(tags[0])), None):
                self._held, self._end = self._held[len(opened[0]) :], opened[1]
            elif any(opening.startswith(self._held) for opening, _ in _TAGS):
                return ""
            else:
                self._is_answer = True
        return self._release() if self._is_answer else ""

    def finish(self) -> str:
        """Return what was held back, because it could have been the beginning of a tag."""
        return "" if self.is_open else self._release()

    def _hold_spaces(self, text: str) -> str:
        """Hold back the spaces before a possible tag; return the rest."""
        rest = text.lstrip()
        if not self._has_reasoned:
            self._spaces.append(text[: len(text) - len(rest)])
        return rest

    def _skip_reasoning(self, closing: str) -> bool:
        """Remove the reasoning up to its end; False when the end has not arrived."""
        _, found, answer = self._held.partition(closing)
        if not found:
            self._held = self._held[-len(closing) :]
            return False
        # Another block of reasoning may begin.
        self._held, self._end, self._has_reasoned = answer.lstrip(), None, True
        self._spaces.clear()
        return True

    def _release(self) -> str:
        released = "".join(self._spaces) + self._held
        self._spaces.clear()
        self._held = ""
        return released


def without_reasoning(text: str) -> str:
    """Remove reasoning from a whole answer, also where the server has cut off its opening tag."""
    reasoning = ReasoningFilter()
    answer = reasoning.feed(text) + reasoning.finish()
    for opening, closing in _TAGS:
        if closing in answer and opening not in answer:
            answer = answer.rpartition(closing)[2]
    return answer.strip() if answer != text else text
