"""Classifying a document by weighted cues: pages in, a classification with its reasons out. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from signalbox_pipelines.document_batch.document.classify.cues import CUES
from signalbox_pipelines.document_batch.document.contract import Classification, Cue, Kind
from signalbox_pipelines.document_batch.document.messages import PageText

CONFIDENT_MARGIN: Final = 0.3
"""Below this margin a person is asked: the best kind has less than twice the score of the second best."""
_MIN_SCORE: Final = 3.0
_HEADING_CHARS: Final = 400
_HEADING_FACTOR: Final = 1.5
_MAX_CUES: Final = 12
_WHITESPACE: Final = r"\s+"
_LONG_RUN: Final = re.compile(r"([^\w\s\x00-\x7f]{30})[^\w\s\x00-\x7f]++")
"""Combining marks beyond 30 in a row are dropped (UAX #15, stream-safe text): normalising is quadratic."""


def classify(pages: Sequence[PageText]) -> Classification:
    """Choose the kind with the highest score.

    Each phrase counts once, and more when it stands in the heading of the first page.
    """
    cues = list(_cues(pages))
    scores: dict[Kind, float] = {
        kind: round(sum(cue.weight for cue in cues if cue.kind == kind), 2) for kind in CUES
    }
    ranked = sorted(scores, key=lambda kind: -scores[kind])
    best, second = scores[ranked[0]], scores[ranked[1]]
    margin = round((best - second) / (best + second), 3) if best else 0.0
    return Classification(
        kind=ranked[0] if best else "other",
        margin=margin,
        scores=scores,
        cues=tuple(sorted(cues, key=lambda cue: -cue.weight)[:_MAX_CUES]),
        is_sure=best >= _MIN_SCORE and margin >= CONFIDENT_MARGIN,
    )


def fold(text: str) -> str:
    """Lower-case the text and strip its accents, which OCR loses, without changing any position."""
    return unicodedata.normalize("NFC", text).translate(_FOLDED)


def _fold_char(char: str) -> str:
    small = char.lower()
    if small == "đ":
        return "d"
    base = unicodedata.normalize("NFD", small)[:1]
    return base if len(small) == 1 else char


class _FoldedChars(dict[int, str]):
    """Each character folded, computed once."""

    def __missing__(self, code: int) -> str:
        self[code] = _fold_char(chr(code))
        return self[code]


_FOLDED: Final = _FoldedChars()


def _patterns() -> Mapping[str, tuple[Kind, float, str, re.Pattern[str]]]:
    found = {}
    for kind, phrases in CUES.items():
        for phrase, weight in phrases.items():
            words = _WHITESPACE.join(re.escape(word) for word in fold(phrase).split())
            longest_word = max(fold(phrase).split(), key=len)
            found[phrase] = (kind, weight, longest_word, re.compile(rf"(?<!\w){words}(?!\w)"))
    return found


_PATTERNS: Final = _patterns()


def _cues(pages: Sequence[PageText]) -> Iterator[Cue]:
    seen: set[str] = set()
    for page in pages:
        text = unicodedata.normalize("NFC", _LONG_RUN.sub(r"\1", page.text))
        folded = fold(text)
        for phrase, (kind, weight, longest_word, pattern) in _PATTERNS.items():
            # Most words do not occur, which the search for a plain string finds out much faster.
            is_possible = phrase not in seen and longest_word in folded
            match = pattern.search(folded) if is_possible else None
            if match is None:
                continue
            seen.add(phrase)
            in_heading = page.number == 1 and match.start() < _HEADING_CHARS
            score = weight * _HEADING_FACTOR if in_heading else weight
            yield Cue(phrase=text[match.start() : match.end()], kind=kind, weight=score, page=page.number)
