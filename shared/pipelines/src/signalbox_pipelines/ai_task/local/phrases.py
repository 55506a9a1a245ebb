"""Key phrases with RAKE: runs of words without stop words, scored by word degree and frequency. Pure."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from signalbox_pipelines.ai_task.local.words import remove_stop_words, split_sentences, split_words

_MAX_WORDS: Final = 4


def key_phrases(text: str, count: int = 8) -> tuple[str, ...]:
    """Return up to `count` key phrases in lower case, the highest score first."""
    candidates = [phrase_words for sentence in split_sentences(text) for phrase_words in _runs(sentence)]
    frequency = Counter(word for phrase_words in candidates for word in phrase_words)
    degree: Counter[str] = Counter()
    for phrase_words in candidates:
        for word in phrase_words:
            degree[word] += len(phrase_words)
    phrases = Counter(phrase_words for phrase_words in candidates)
    scored = {
        phrase_words: phrases[phrase_words]
        * sum(degree[word] / frequency[word] * min(frequency[word], 3) for word in phrase_words)
        / len(phrase_words) ** 0.5
        for phrase_words in phrases
    }
    ranked = sorted(scored, key=lambda phrase_words: (-scored[phrase_words], phrase_words))
    selected: list[str] = []
    for phrase_words in ranked:
        phrase = " ".join(phrase_words)
        if len(selected) < count and not any(
            f" {phrase} " in f" {other} " or f" {other} " in f" {phrase} " for other in selected
        ):
            selected.append(phrase)
    return tuple(selected)


def _runs(sentence: str) -> Iterator[tuple[str, ...]]:
    for is_content, group in groupby(split_words(sentence), key=lambda word: bool(remove_stop_words([word]))):
        words = list(group)
        if is_content:
            yield from (
                tuple(words[start : start + _MAX_WORDS]) for start in range(0, len(words), _MAX_WORDS)
            )
