"""Every finder, pattern and parser of tenants' text takes linear time: for ten times the input, tenfold."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final

import pytest

from signalbox_core.errors import Rejected
from signalbox_pipelines.ad_creative.page.linked_data import find_products
from signalbox_pipelines.ad_creative.page.page_limits import check_page_limits
from signalbox_pipelines.ad_creative.page.palette import choose_palette
from signalbox_pipelines.ad_creative.page.plain_text import plain_text
from signalbox_pipelines.ai_task.contract import Label
from signalbox_pipelines.ai_task.local.fields import extract_fields
from signalbox_pipelines.ai_task.local.labels import choose_label
from signalbox_pipelines.ai_task.local.values import find_values
from signalbox_pipelines.ai_task.local.words import split_sentences, split_words
from signalbox_pipelines.ai_task.schema_validation import matches_format
from signalbox_pipelines.document_batch.document.classify.classifier import classify
from signalbox_pipelines.document_batch.document.extract.conventions import Conventions, conventions_of
from signalbox_pipelines.document_batch.document.extract.entities import FINDERS, MAX_PER_PAGE
from signalbox_pipelines.document_batch.document.messages import PageText

SMALL: Final = 20_000
FACTOR: Final = 10
MAX_RATIO: Final = 30.0
"""A quadratic call takes 100 times as long; allocation and load add far less to a linear one."""
ENOUGH_S: Final = 0.005
"""Below this the ratio measures noise; the larger input of such a call is fast enough."""
MAX_LARGE_S: Final = 0.25
HOSTILE: Final = {
    "numbers": "123 456 789 ",
    "long number": "1",
    "separated digits": "1.",
    "spaces": " ",
    "one word": "a",
    "dots": "a.",
    "dashes": "-",
    "currency": "$ ",
    "at signs": "a@a.",
    "percent": "%",
    "iban": "DE89 ",
    "months": "1 May ",
    "day": "ngày ",
    "tax": "tax ",
    "abbreviations": "Mr. ",
    "capitals": "A. ",
    "lines": "\n ",
    "quotes": '."',
    "marks": "\u0315\u0300",
    "brackets": "([{",
    "cue": "total: ",
    "escapes": '\\"',
    "comments": "/* ",
}


def text_of(unit: str, length: int) -> str:
    return "x" + unit * (length // len(unit))


CONVENTIONS: Final = {
    language: Conventions(language=language, currency=None, date_order=None) for language in ("en", "vi")
}
CALLS: Final[dict[str, Callable[[str], object]]] = {
    **{
        f"{kind}, {language}": lambda text, finder=finder, language=language: list(
            islice(finder(text, CONVENTIONS[language]), MAX_PER_PAGE)
        )
        for kind, finder in FINDERS
        for language in ("en", "vi")
        if kind not in ("date", "phone")
    },
    "conventions": lambda text: conventions_of([text], ("en",)),
    "classify": lambda text: classify([PageText(number=1, text=text, read_by="text layer")]),
    "sentences": split_sentences,
    "words": split_words,
    "labels": lambda text: choose_label(f"{text} cat", [Label(name="cat"), Label(name="a - b")]),
    "fields": lambda text: extract_fields(
        {
            "type": "object",
            "properties": {
                "total": {"type": "number", "title": "- -", "description": "total, amount due, a"},
                "mail": {"type": "string", "format": "email"},
                "links": {"type": "array", "items": {"type": "string", "format": "uri"}},
            },
        },
        text,
    ),
    "numbers": lambda text: list(islice(find_values({"type": "number"}, text), 500)),
    "emails": lambda text: list(find_values({"type": "string", "format": "email"}, text)),
    "email format": lambda text: matches_format("email", text),
    "uri format": lambda text: matches_format("uri", text),
    "linked data": lambda text: find_products([f'{{"a": "{text}', text]),
    "plain text": lambda text: plain_text(f"&amp;lt;{text}"),
    "style sheet": lambda text: choose_palette([text[:100_000]]),
}


def seconds(call: Callable[[str], object], text: str) -> float:
    """The fastest of two calls."""
    took = []
    for _ in range(2):
        began = time.process_time()
        call(text)
        took.append(time.process_time() - began)
    return min(took)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_ten_times_the_input_takes_about_ten_times_as_long(call: Callable[[str], object], unit: str) -> None:
    small, large = seconds(call, text_of(unit, SMALL)), seconds(call, text_of(unit, SMALL * FACTOR))

    assert large < MAX_LARGE_S or large / max(small, ENOUGH_S) <= MAX_RATIO, (small, large)


@pytest.mark.parametrize("kind", ["date", "phone"])
@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_finders_of_other_libraries_are_linear(kind: str, unit: str) -> None:
    finder = dict(FINDERS)[kind]

    def find(text: str) -> object:
        return list(islice(finder(text, CONVENTIONS["en"]), 20))

    small, large = seconds(find, text_of(unit, 4_000)), seconds(find, text_of(unit, 40_000))

    assert large < MAX_LARGE_S or large / max(small, ENOUGH_S) <= MAX_RATIO, (small, large)


@pytest.mark.parametrize(
    "unit",
    [b"<div>", b"<a ", b"<", b"</div>", b"<!--", b"<script>", b'"', b"<p a='", b"< a", b"<br/ >", b" ="],
)
def test_the_scan_of_a_page_is_linear(unit: bytes) -> None:
    def scan(text: str) -> None:
        with suppress(Rejected):
            check_page_limits(text.encode(), "u")

    small, large = (
        seconds(scan, text_of(unit.decode(), SMALL)),
        seconds(scan, text_of(unit.decode(), SMALL * 10)),
    )

    assert large < MAX_LARGE_S or large / max(small, ENOUGH_S) <= MAX_RATIO, (small, large)
