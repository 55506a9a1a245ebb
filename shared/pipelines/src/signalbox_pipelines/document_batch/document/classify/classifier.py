"""Classifying a document by weighted cues: pages in, a classification with its reasons out. Pure.

A heuristic: no model is trained. How often it is right is measured on papers it was not tuned on
(docs/document_batch.md).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from signalbox_pipelines.document_batch.document.classify.cues import CUES
from signalbox_pipelines.document_batch.document.contract import Classification, Cue, Kind
from signalbox_pipelines.document_batch.document.messages import PageText

CONFIDENT_MARGIN: Final = 0.3
"""Below this margin a person is asked: the best kind has less than twice the score of the second best."""
_MIN_SCORE: Final = 3.0
_FIRST_PAGES: Final = 3
"""Titles and labels stand on the first pages, signatures on the last one; what stands between is not read."""
_HEADING_CHARS: Final = 400
_HEADING_FACTOR: Final = 1.5
_PROSE_FACTOR: Final = 0.3
"""For a phrase in the middle of a sentence: a text about invoices is no invoice. Also for a phrase of `other`
outside the heading: invoices name the order and the delivery note."""
_UNKNOWN_SCORES: Final = ((600, 4.5), (60, _MIN_SCORE))
"""The score of `other` from a number of words on: of a long text with few cues a person need not be asked."""
_MAX_MATCHES: Final = 20
_MAX_CUES: Final = 12
_WHITESPACE: Final = r"\s+"
_LONG_RUN: Final = re.compile(r"([^\w\s\x00-\x7f]{30})[^\w\s\x00-\x7f]++")
"""Combining marks beyond 30 in a row are dropped (UAX #15, stream-safe text): normalising is quadratic."""
_LINE_START: Final = re.compile(r"(?:^|[\n:|•\t]|  )[^\w\n]{0,8}\Z")
_LABEL_END: Final = re.compile(r"[ \t]*(?:\Z|[\n:#|\t(]|[^\w\s,;]{0,3}[ \t]*(?:\Z|\n|[€$£]?[ \t]*-?\d))")


class _Phrase(Struct, frozen=True):
    """A phrase to search for; `longest_word` is looked for first, which is much faster."""

    kind: Kind
    weight: float
    longest_word: str
    pattern: re.Pattern[str]


def classify(pages: Sequence[PageText]) -> Classification:
    """Choose the kind with the highest score.

    Each phrase counts once: more when it stands in the heading of the first page, less in the middle of a
    sentence.
    """
    cues = list(_cues(_relevant(pages)))
    scores: dict[Kind, float] = {
        kind: round(sum(cue.weight for cue in cues if cue.kind == kind), 2) for kind in CUES
    }
    scores["other"] = round(scores["other"] + _unknown_score(pages), 2)
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


_FOLDED: Final = _FoldedChars({ord("’"): "'", ord("\u00a0"): " ", ord("\u202f"): " "})


def _phrases() -> Iterator[_Phrase]:
    for kind, by_weight in CUES.items():
        for weight, phrases in by_weight.items():
            for phrase in dict.fromkeys(map(fold, phrases.split(" / "))):
                words = phrase.split()
                pattern = _WHITESPACE.join(re.escape(word) for word in words)
                end = r"(?!\w)" if words[-1][-1].isalpha() else ""
                yield _Phrase(kind, weight, max(words, key=len), re.compile(rf"(?<!\w){pattern}{end}"))


_PHRASES: Final = tuple(_phrases())


def _relevant(pages: Sequence[PageText]) -> Sequence[PageText]:
    return [*pages[:_FIRST_PAGES], *pages[_FIRST_PAGES:][-1:]]


def _unknown_score(pages: Sequence[PageText]) -> float:
    """The score of `other` for a text that is long enough to classify."""
    words = sum(page.text.count(" ") + page.text.count("\n") for page in pages[:_FIRST_PAGES])
    return next((score for least, score in _UNKNOWN_SCORES if words >= least), 0.0)


def _cues(pages: Sequence[PageText]) -> Iterator[Cue]:
    seen: set[int] = set()
    for page in pages:
        text = unicodedata.normalize("NFC", _LONG_RUN.sub(r"\1", page.text))
        folded = fold(text)
        for number, phrase in enumerate(_PHRASES):
            # Most words do not occur, which the search for a plain string finds out much faster.
            if number in seen or phrase.longest_word not in folded:
                continue
            match, is_label = _best_match(phrase.pattern, folded)
            if match is None:
                continue
            seen.add(number)
            in_heading = page.number == 1 and match.start() < _HEADING_CHARS
            counts_in_full = is_label and (in_heading or phrase.kind != "other")
            factor = (1.0 if counts_in_full else _PROSE_FACTOR) * (_HEADING_FACTOR if in_heading else 1.0)
            found = text[match.start() : match.end()]
            yield Cue(
                phrase=found, kind=phrase.kind, weight=round(phrase.weight * factor, 2), page=page.number
            )


def _best_match(pattern: re.Pattern[str], folded: str) -> tuple[re.Match[str] | None, bool]:
    """Return the first match that is a title or a label, else the first one, and whether it is a label."""
    first = None
    for match in islice(pattern.finditer(folded), _MAX_MATCHES):
        first = first or match
        before = folded[max(0, match.start() - 12) : match.start()]
        begins_line = match.start() == 0 or _LINE_START.search(before) is not None
        if begins_line or _LABEL_END.match(folded, match.end(), match.end() + 20):
            return match, True
    return first, False
