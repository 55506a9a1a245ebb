"""The terms under which a run is found. Pure; a query is split into terms in the same way.

A term is `key=value` and consists of lower-case letters and digits of any script, `.`, `_` and `-`. Nothing
else reaches the search index, so no text can change a query. Temporal's SQL stores compare whole terms only;
a word is therefore also stored under its beginnings.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

MAX_TERMS: Final = 200
"""How many terms a run has at most; the first ones are kept."""
_MAX_WORD: Final = 40
_MAX_VALUE: Final = 100
_PREFIXES: Final = range(2, 13)
_WORD: Final = re.compile(r"[^\W_]+")
_LETTERS: Final = str.maketrans({"đ": "d", "ł": "l", "ø": "o"})
"""Letters with a stroke, which Unicode does not decompose."""

WORD: Final = "w"
BY: Final = "by"
TAG: Final = "tag"
ERROR: Final = "error"
STEP: Final = "step"
FIND: Final = "find."
"""The keys of terms; that of a `Find` field is `find.` and its name."""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, without case, accents and punctuation."""
    return tuple(word[:_MAX_WORD] for word in _WORD.findall(text.lower() if text.isascii() else _plain(text)))


def _plain(text: str) -> str:
    # Twice: what a letter decomposes to may have a case, and what its lower case is may decompose.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in text if not unicodedata.combining(letter)).translate(_LETTERS)


def value_term(key: str, value: str) -> str:
    """Return the term of a whole value; `key=` for a value without letters and digits."""
    return f"{key}={'-'.join(words(value))[:_MAX_VALUE]}"


def word_terms(key: str, text: str) -> Iterator[str]:
    """Return the terms of a text's words and of their beginnings."""
    for word in words(text):
        yield f"{key}={word}"
        yield from (f"{key}={word[:length]}" for length in _PREFIXES if length < len(word))


def id_terms(run_id: str) -> Iterator[str]:
    """Return the terms of the words of a run id."""
    yield from (f"{WORD}={word}" for word in words(run_id))


def bounded(terms: Iterable[str]) -> list[str]:
    """Return the terms, each once, without empty ones and at most `MAX_TERMS`."""
    return [term for term in dict.fromkeys(terms) if not term.endswith("=")][:MAX_TERMS]
