"""Extractive summary with TextRank:

PageRank over a graph of sentences weighted by the words they share. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from math import log
from operator import mul
from typing import Final

from signalbox_pipelines.ai_task.local.words import remove_stop_words, split_sentences, split_words

_BLOCK_SIZE: Final = 200
"""Sentences compared pairwise at once.

Longer texts are ranked in blocks first, which keeps the time linear.
"""
_DAMPING: Final = 0.85
_ITERATIONS: Final = 30


def summarise(text: str, count: int) -> list[str]:
    """Return the `count` highest-ranked sentences in the order of the text; all if there are fewer."""
    sentences = split_sentences(text)
    word_counts = [Counter(remove_stop_words(split_words(sentence))) for sentence in sentences]
    chosen = [index for index, bag in enumerate(word_counts) if len(bag) >= 3] or list(range(len(sentences)))
    while len(chosen) > _BLOCK_SIZE:
        blocks = [chosen[start : start + _BLOCK_SIZE] for start in range(0, len(chosen), _BLOCK_SIZE)]
        chosen = [
            index
            for block in blocks
            for index in _top_ranked(block, word_counts, max(count, _BLOCK_SIZE // 4))
        ]
    return [sentences[index] for index in _top_ranked(chosen, word_counts, count)]


def _top_ranked(indices: Sequence[int], word_counts: "Sequence[Counter[str]]", count: int) -> list[int]:
    ranks = _ranks([word_counts[index] for index in indices])
    # On a tie the earlier sentence wins: important sentences tend to come first.
    order = sorted(range(len(indices)), key=lambda position: (-ranks[position], position))
    selected: list[int] = []
    for position in order:
        if len(selected) == count:
            break
        if all(
            _similarity(word_counts[indices[position]], word_counts[other]) < 0.9
            or word_counts[indices[position]] != word_counts[other]
            for other in selected
        ):
            selected.append(indices[position])
    return sorted(selected)


def _ranks(word_counts: "Sequence[Counter[str]]") -> list[float]:
    """Rank by power iteration over the similarity of every pair."""
    size = len(word_counts)
    words, weights = [frozenset(bag) for bag in word_counts], [log(len(bag) + 1) for bag in word_counts]
    similarities = [[0.0] * size for _ in range(size)]
    for one in range(size):
        for other in range(one):
            common = len(words[one] & words[other])
            if common:
                value = common / (weights[one] + weights[other])
                similarities[one][other] = similarities[other][one] = value
    totals = [sum(row) or 1.0 for row in similarities]
    ranks = [1.0] * size
    for _ in range(_ITERATIONS):
        shares = [rank / total for rank, total in zip(ranks, totals, strict=True)]
        ranks = [1 - _DAMPING + _DAMPING * sum(map(mul, row, shares)) for row in similarities]
    return ranks


def _similarity(one: "Counter[str]", other: "Counter[str]") -> float:
    common = len(one.keys() & other.keys())
    return common / (log(len(one) + 1) + log(len(other) + 1)) if common else 0.0
