"""Which sentences say most: a graph of sentences that share words, ranked like pages that link (TextRank). Pure, no dependencies."""

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import Final

from signalbox_pipelines.ai_task.local.words import sentences_of, telling, words_of

_BLOCK: Final = 200
"""Sentences compared with each other at once; a longer text is ranked in blocks first, so time grows with its length only."""
_DAMPING: Final = 0.85
_ROUNDS: Final = 30


def summary_of(text: str, count: int) -> list[str]:
    """The `count` sentences that say most, in the text's order; all when there are not more."""
    sentences = sentences_of(text)
    bags = [Counter(telling(words_of(sentence))) for sentence in sentences]
    chosen = [index for index, bag in enumerate(bags) if len(bag) >= 3] or list(range(len(sentences)))
    while len(chosen) > _BLOCK:
        blocks = [chosen[start : start + _BLOCK] for start in range(0, len(chosen), _BLOCK)]
        chosen = [index for block in blocks for index in _best(block, bags, max(count, _BLOCK // 4))]
    return [sentences[index] for index in _best(chosen, bags, count)]


def _best(indices: Sequence[int], bags: "Sequence[Counter[str]]", count: int) -> list[int]:
    ranks = _ranks([bags[index] for index in indices])
    # A tie goes to the earlier sentence: texts say the important first.
    order = sorted(range(len(indices)), key=lambda place: (-ranks[place], place))
    kept: list[int] = []
    for place in order:
        if len(kept) == count:
            break
        if all(
            _likeness(bags[indices[place]], bags[other]) < 0.9 or bags[indices[place]] != bags[other]
            for other in kept
        ):
            kept.append(indices[place])
    return sorted(kept)


def _ranks(bags: "Sequence[Counter[str]]") -> list[float]:
    """Power iteration over the likeness of every pair."""
    size = len(bags)
    likes = [
        [_likeness(one, other) if place != at else 0.0 for at, other in enumerate(bags)]
        for place, one in enumerate(bags)
    ]
    totals = [sum(row) or 1.0 for row in likes]
    ranks = [1.0] * size
    for _ in range(_ROUNDS):
        shares = [rank / total for rank, total in zip(ranks, totals, strict=True)]
        ranks = [
            1 - _DAMPING + _DAMPING * sum(like * share for like, share in zip(row, shares, strict=True))
            for row in likes
        ]
    return ranks


def _likeness(one: "Counter[str]", other: "Counter[str]") -> float:
    common = len(one.keys() & other.keys())
    return common / (log(len(one) + 1) + log(len(other) + 1)) if common else 0.0
