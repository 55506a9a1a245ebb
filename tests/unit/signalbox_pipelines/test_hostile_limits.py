"""Limits on tenants' input: each names itself and the remedy, and is checked before the expensive work."""

import pytest

from signalbox_core.errors import Rejected
from signalbox_core.process.cpu_pool import small_pool
from signalbox_pipelines.ad_creative.page.page_limits import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    check_page_limits,
)
from signalbox_pipelines.document_batch.document.messages import PageText
from signalbox_pipelines.document_batch.document.read import limits
from signalbox_pipelines.document_batch.document.read.open_document import open_document
from signalbox_pipelines.document_batch.document.read.text_pages import TextPages

URL = "https://shop.example/p"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"<div>" * 200_000, f"deeper than {MAX_DEPTH} levels"),
        (b"<b>" * 200_000, f"deeper than {MAX_DEPTH} levels"),
        (b"<div " + b" ".join(b"a%d" % n for n in range(200_000)) + b">", f"more than {MAX_ATTRIBUTES} attr"),
        (b'<div a="x" ' + b"b='y'" * 300 + b">", f"more than {MAX_ATTRIBUTES} attributes"),
        (b"<div " + b"a " * 300, f"more than {MAX_ATTRIBUTES} attributes"),
        (b"<br>" * (MAX_ELEMENTS + 1), f"more than {MAX_ELEMENTS:,} elements"),
    ],
)
def test_a_page_beyond_a_limit_is_rejected(body: bytes, named: str) -> None:
    with pytest.raises(Rejected, match=named) as refused:
        check_page_limits(body, URL)

    assert refused.value.stable_code == "page_too_complex"


@pytest.mark.parametrize(
    "body",
    [
        b"<ul>" + b"<li>item" * 5_000 + b"</ul>" + b"<p>text" * 5_000,
        b"<div><span></span></div>" * 5_000,
        b"<script>" + b"if (a <b) x();" * 5_000 + b"</script><p>",
        b"<!--" + b"<div>" * 5_000 + b"--><p>",
        b'<a title="' + b"<div>" * 5_000 + b'">x</a>',
        b"<div a='" + b"x " * 5_000,
        b"a < b " * 5_000,
        b"<img>" * 5_000 + b"<img/>" * 5_000,
    ],
)
def test_an_ordinary_page_passes(body: bytes) -> None:
    check_page_limits(body, URL)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\f" * 9_000_000, "too_many_pages"),
        (b"a" * (limits.MAX_TEXT_BYTES + 1), "document_too_long"),
    ],
)
def test_a_text_file_beyond_a_limit_is_rejected_before_it_is_divided(body: bytes, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        TextPages(body, "a.txt")

    assert refused.value.stable_code == code


async def test_a_page_of_text_has_a_limit() -> None:
    body = b"a" * (limits.MAX_PAGE_CHARS + 1)
    pages = await open_document(small_pool(), body, "text/plain", "a.txt")

    with pytest.raises(Rejected, match=r"page 1 of a.txt has 200,001 characters.* divide it") as refused:
        await pages.contents([0])

    assert refused.value.stable_code == "page_too_long"


def test_the_longest_document_is_read_in_many_windows() -> None:
    import msgspec

    from signalbox_pipelines.document_batch.document.extract.window import find_in_window

    pages = [PageText(number=number, text="x " * 60_000, read_by="text layer") for number in (1, 2, 3)]
    body = msgspec.json.encode(pages)

    first = find_in_window(body, 0, ("en",))
    second = find_in_window(body, first.stop, ("en",))

    assert (first.stop, second.stop, second.page_count) == (2, 3, 3)
    assert (first.layer_pages, second.layer_pages) == ([1, 2], [3])
