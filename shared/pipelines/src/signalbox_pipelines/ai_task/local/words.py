"""Splits English and Vietnamese text into sentences and words. Pure."""

import re
from collections.abc import Sequence
from typing import Final

_END: Final = re.compile(
    r"(?<=[.!?…])[\"”’)]*\s+(?=[\"“‘(]?[^\W_a-z])|\n\s*\n+|\n(?=\s*[-*•–]\s)|\n(?=[^\n]{1,40}:\s)"
)
_ABBREVIATED: Final = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|No|Nr|Inc|Ltd|Co|e\.g|i\.e|TP|ThS|TS|PGS|GS|Q|P|Tp)|\b[A-ZĐ])\.$"
)
_LONGEST_ABBREVIATION: Final = 10
_WORD: Final = re.compile(r"[^\W_]+(?:[’'\-][^\W_]+)*")
MAX_SENTENCE_CHARS: Final = 600

STOP_WORDS: Final = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he
    her here hers him his how i if in into is it its itself just may me might more most must my no nor not
    now of off on once only or other our out over own per same shall she should so some such than that the
    their them then there these they this those through to too under until up us very was we were what
    when where which while who whom why will with would you your
    và là của có cho không được các một những này đó khi đã sẽ đang với trong trên dưới từ đến để thì mà
    hay hoặc nhưng cũng như vì nên bị bởi rằng rất lại ra vào lên xuống ở tại về theo do đây kia ấy nào gì
    ai sao nếu tuy còn chỉ mỗi mọi nhiều ít hơn nhất tôi bạn chúng ta anh chị em ông bà họ nó mình
    """.split()  # noqa: SIM905 - a list would be a hundred lines
)


def split_sentences(text: str) -> list[str]:
    """Split into sentences with white space collapsed; long ones are truncated to MAX_SENTENCE_CHARS."""
    found: list[list[str]] = []
    for part in _END.split(text):
        sentence = " ".join(part.split()) if part else ""
        if not sentence:
            continue
        # Only the end is searched, and the pieces are joined once: a text of abbreviations takes linear time.
        if found and _ABBREVIATED.search(found[-1][-1][-_LONGEST_ABBREVIATION:]):
            found[-1].append(sentence)
        else:
            found.append([sentence])
    return [_truncate(" ".join(pieces)) for pieces in found]


def split_words(text: str) -> list[str]:
    """Split into case-folded words, in order."""
    return [word.casefold() for word in _WORD.findall(text)]


def remove_stop_words(words: Sequence[str]) -> list[str]:
    """Drop stop words and single ASCII characters."""
    return [word for word in words if word not in STOP_WORDS and not (len(word) == 1 and word.isascii())]


def _truncate(sentence: str) -> str:
    if len(sentence) <= MAX_SENTENCE_CHARS:
        return sentence
    return sentence[:MAX_SENTENCE_CHARS].rsplit(" ", 1)[0] + " …"
