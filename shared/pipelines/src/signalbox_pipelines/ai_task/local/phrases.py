"""Key phrases: runs of telling words, scored by how often their words come and how much company they keep (RAKE). Pure."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from signalbox_pipelines.ai_task.local.words import sentences_of, telling, words_of

_LONGEST: Final = 4


def key_phrases(text: str, count: int = 8) -> tuple[str, ...]:
    """The phrases that the text is about, the strongest first, in lower case."""
    runs = [run for sentence in sentences_of(text) for run in _runs(sentence)]
    times = Counter(word for run in runs for word in run)
    company: Counter[str] = Counter()
    for run in runs:
        for word in run:
            company[word] += len(run)
    phrases = Counter(run for run in runs)
    scored = {
        run: phrases[run]
        * sum(company[word] / times[word] * min(times[word], 3) for word in run)
        / len(run) ** 0.5
        for run in phrases
    }
    ranked = sorted(scored, key=lambda run: (-scored[run], run))
    kept: list[str] = []
    for run in ranked:
        phrase = " ".join(run)
        if len(kept) < count and not any(
            f" {phrase} " in f" {other} " or f" {other} " in f" {phrase} " for other in kept
        ):
            kept.append(phrase)
    return tuple(kept)


def _runs(sentence: str) -> Iterator[tuple[str, ...]]:
    for is_telling, group in groupby(words_of(sentence), key=lambda word: bool(telling([word]))):
        words = list(group)
        if is_telling:
            yield from (tuple(words[start : start + _LONGEST]) for start in range(0, len(words), _LONGEST))
