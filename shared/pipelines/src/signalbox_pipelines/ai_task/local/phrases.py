"""Key phrases with RAKE: runs of words without stop words, scored by word degree and frequency. Pure."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from signalbox_pipelines.ai_task.local.words import remove_stop_words, split_sentences, split_words

_MAX_WORDS: Final = 4


def key_phrases(text: str, count: int = 8) -> tuple[str, ...]:
    """Return up to `count` key phrases in lower case, the highest score first."""
    runs = [run for sentence in split_sentences(text) for run in _runs(sentence)]
    frequency = Counter(word for run in runs for word in run)
    degree: Counter[str] = Counter()
    for run in runs:
        for word in run:
            degree[word] += len(run)
    phrases = Counter(run for run in runs)
    scored = {
        run: phrases[run]
        * sum(degree[word] / frequency[word] * min(frequency[word], 3) for word in run)
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
    for is_content, group in groupby(split_words(sentence), key=lambda word: bool(remove_stop_words([word]))):
        words = list(group)
        if is_content:
            yield from (
                tuple(words[start : start + _MAX_WORDS]) for start in range(0, len(words), _MAX_WORDS)
            )
