"""Facts of a page: structured data takes precedence over HTML, and malformed data is tolerated."""

import pytest

from signalbox_core.errors import Rejected
from signalbox_pipelines.ad_creative.copy.language import (
    first_sentence,
    format_price,
    format_rating,
    is_call_to_action,
)
from signalbox_pipelines.ad_creative.page.facts import PageFacts, read_page
from signalbox_pipelines.ad_creative.page.linked_data import find_product, text_at, texts_at

URL = "https://shop.example/p/cup"


def read(html: str, *, wanted: str = "auto") -> PageFacts:
    return read_page(html.encode(), url=URL, charset="utf-8", wanted=wanted)


def test_structured_data_takes_precedence_over_html() -> None:
    facts = read("""<title>Shop page – Lam</title><h1>Wrong</h1><script type="application/ld+json">
        {"@graph": [{"@type": "WebSite"}, {"@type": ["Thing", "Product"], "name": "Cup",
        "brand": {"name": "Gốm Lam"}, "offers": [{"price": 18, "priceCurrency": "usd"}],
        "image": ["/a.jpg", {"url": "/b.jpg"}]}]}</script>""")

    assert (facts.product, facts.name, facts.price) == ("Cup", "Gốm Lam", "$18")
    assert [image.url for image in facts.images] == [
        "https://shop.example/a.jpg",
        "https://shop.example/b.jpg",
    ]


def test_a_page_without_structured_data_gives_title_and_pictures() -> None:
    facts = read(
        '<title>A lamp – Đom Đóm</title><main><p>Short.</p><img src="../lamp.jpg" alt=" A  lamp "></main>'
    )

    assert (facts.product, facts.name) == ("A lamp", "Đom Đóm")
    assert facts.images[0].url == "https://shop.example/lamp.jpg"
    assert facts.images[0].alt == "A lamp"


def test_a_page_without_product_name_is_refused() -> None:
    with pytest.raises(Rejected, match="names no product") as refused:
        read("<p>hello</p>")

    assert (refused.value.stable_code, refused.value.field) == ("no_product", "url")


def test_benefits_shipping_and_call_to_action_are_found() -> None:
    facts = read("""<title>Cup</title><main>
        <ul class="benefits"><li>Painted by hand</li><li>x</li><li>Holds 280 ml</li></ul>
        <p>Free shipping over $30</p><a class="btn" href="#">Terms</a>
        <a class="btn primary" href="#">Add to cart</a></main>""")

    assert facts.benefits == ("Painted by hand", "Holds 280 ml")
    assert facts.shipping == "Free shipping over $30"
    assert facts.cta == "Add to cart"


def test_the_largest_srcset_picture_is_used_and_data_urls_are_skipped() -> None:
    facts = read(
        """<title>Cup</title><img src="s.jpg" srcset="s.jpg 400w, l.jpg 1600w">
        <img src="data:image/gif;base64,R0lGOD">"""
    )

    assert [image.url for image in facts.images] == ["https://shop.example/p/l.jpg"]


@pytest.mark.parametrize(
    ("html", "wanted", "language"),
    [
        pytest.param('<html lang="vi-VN"><title>Cup</title>', "auto", "vi", id="declared"),
        pytest.param("<title>Cốc gốm vẽ tay Lá Trúc</title>", "auto", "vi", id="by its letters"),
        pytest.param('<html lang="vi"><title>Cốc</title>', "en", "en", id="asked for"),
        pytest.param("<title>A café in Paris</title>", "auto", "en", id="an accent is not Vietnamese"),
    ],
)
def test_the_language_is_detected(html: str, wanted: str, language: str) -> None:
    assert read(html, wanted=wanted).language == language


@pytest.mark.parametrize(
    "script",
    [
        "{",
        "[]",
        "null",
        '{"@type": 7}',
        '{"@graph": {"@graph": []}}',
        '{"@type": "Product", "name": {"x": [1]}}',
        "[" * 5000,
    ],
)
def test_malformed_structured_data_is_tolerated(script: str) -> None:
    text_at(find_product([script]), "name")


def test_lists_and_nodes_are_converted_to_text() -> None:
    node = {"image": [{"url": "a"}, "b", None, 3], "brand": [{"name": " Gốm  Lam "}]}

    assert texts_at(node, "image") == ["a", "b", "3"]
    assert text_at(node, "brand") == "Gốm Lam"
    assert text_at(node, "offers", "price") == ""


@pytest.mark.parametrize(
    ("amount", "currency", "language", "shown"),
    [
        ("189000", "VND", "vi", "189.000 ₫"),
        ("14.5", "USD", "en", "$14.50"),
        ("1290", "EUR", "en", "€1,290"),
        ("1290.5", "CHF", "vi", "1.290,50 CHF"),
        ("free", "USD", "en", ""),
        ("NaN", "USD", "en", ""),
        ("-3", "USD", "en", ""),
    ],
)
def test_prices_are_formatted_for_the_language(amount: str, currency: str, language: str, shown: str) -> None:
    assert format_price(amount, currency, language) == shown


def test_ratings_calls_to_action_and_first_sentences() -> None:
    assert format_rating("4.8", "vi") == "4,8"
    assert format_rating("48", "en") == ""
    assert is_call_to_action("Đặt mua đèn")
    assert not is_call_to_action("Điều khoản")
    assert first_sentence("One. Two.", longest=10) == "One."
    assert first_sentence("A very long sentence without an end", longest=10) == ""
