"""Facts of a page: structured data takes precedence over HTML, and malformed data is tolerated."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from signalbox_core.errors import Rejected
from signalbox_pipelines.ad_creative.copy.language import (
    first_sentence,
    format_price,
    format_rating,
    is_call_to_action,
)
from signalbox_pipelines.ad_creative.page.charsets import decode_page
from signalbox_pipelines.ad_creative.page.facts import PageFacts, read_page
from signalbox_pipelines.ad_creative.page.linked_data import find_products, text_at, texts_at
from signalbox_pipelines.ad_creative.page.plain_text import plain_text
from signalbox_pipelines.ad_creative.page.product_data import Rating, read_price

URL = "https://shop.example/p/cup"


def read(html: str, *, wanted: str = "auto") -> PageFacts:
    return read_page(html.encode(), url=URL, charset="utf-8", wanted=wanted, today=date(2026, 11, 30))


def with_data(data: str) -> PageFacts:
    return read(f'<title>Shop</title><script type="application/ld+json">{data}</script>')


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
    ("srcset", "address"),
    [
        pytest.param(
            "https://cdn.example/w_400,h_300/a.jpg 400w, https://cdn.example/w_800,h_600/a.jpg 800w",
            "https://cdn.example/w_800,h_600/a.jpg",
            id="commas in addresses",
        ),
        pytest.param("s.jpg 1x,l.jpg 2x", "https://shop.example/p/l.jpg", id="no space after a comma"),
        pytest.param("s.jpg,, l.jpg 2x,", "https://shop.example/p/l.jpg", id="trailing commas"),
        pytest.param(
            "s.jpg future(1,2) 3x, l.jpg 2x", "https://shop.example/p/l.jpg", id="commas in parentheses"
        ),
        pytest.param("\n\t l.jpg\n\t", "https://shop.example/p/l.jpg", id="an address alone"),
    ],
)
def test_srcset_is_parsed_as_the_html_standard_defines(srcset: str, address: str) -> None:
    facts = read(f'<title>Cup</title><img src="s.jpg" srcset="{srcset}">')

    assert [image.url for image in facts.images] == [address]


@pytest.mark.parametrize(
    ("base", "address"),
    [
        pytest.param("https://cdn.example/x/", "https://cdn.example/x/a.jpg", id="another origin"),
        pytest.param(" /media/ ", "https://shop.example/media/a.jpg", id="relative"),
        pytest.param("data:text/plain,", "https://shop.example/p/a.jpg", id="not an address of a folder"),
        pytest.param("//[::1", "https://shop.example/p/a.jpg", id="malformed"),
    ],
)
def test_links_are_relative_to_the_base_of_the_page(base: str, address: str) -> None:
    facts = read(
        f'<base target="_top"><base href="{base}"><base href="/later/"><title>Cup</title><img src="a.jpg">'
        '<link rel="stylesheet" href="a.css"><img class="logo" src="l.svg">'
    )

    assert [image.url for image in facts.images] == [address]
    assert facts.style_sheets == (address.replace(".jpg", ".css"),)
    assert facts.logos == (address.replace("a.jpg", "l.svg"),)


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
    for product in find_products([script]):
        text_at(product, "name")


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
    assert format_rating(Rating(Decimal("4.8"), Decimal(5), 3), "vi") == "4,8"
    assert format_rating(Rating(Decimal("4.2"), Decimal(10), 3), "en") == ""
    assert format_rating(None, "en") == ""
    assert is_call_to_action("Đặt mua đèn", "vi")
    assert not is_call_to_action("Điều khoản", "vi")
    assert first_sentence("One. Two.", longest=10) == "One."
    assert first_sentence("A very long sentence without an end", longest=10) == ""


def test_entities_and_tags_are_decoded_and_claims_are_the_pages_own() -> None:
    facts = read((Path(__file__).parents[2] / "data" / "pages" / "esc.html").read_text())

    assert facts.product == 'Moka & Co "Classic" pot'
    assert facts.description == "Makes strong coffee."
    assert (facts.price, facts.rating, facts.shipping, facts.cta) == ("", "", "", "")


def test_text_escaped_twice_is_decoded() -> None:
    assert plain_text("Salt &amp;amp; pepper &lt;b&gt;mill&lt;/b&gt; 3 < 4") == "Salt & pepper mill 3 < 4"


@pytest.mark.parametrize(
    ("offer", "price"),
    [
        pytest.param('{"price": "1.299,00", "priceCurrency": "EUR"}', "€1,299", id="German number"),
        pytest.param('{"price": "24.900", "priceCurrency": "VND"}', "24,900 ₫", id="groups of dong"),
        pytest.param('{"price": "$14.50", "priceCurrency": "USD"}', "$14.50", id="with its sign"),
        pytest.param('{"lowPrice": "10", "highPrice": "20", "priceCurrency": "USD"}', "from $10", id="range"),
        pytest.param(
            '{"priceSpecification": {"price": 12.5, "priceCurrency": "GBP"}}', "£12.50", id="specification"
        ),
        pytest.param(
            '[{"price": 30, "priceCurrency": "USD"}, {"price": 18, "priceCurrency": "USD"}]',
            "from $18",
            id="the lowest of several",
        ),
        pytest.param(
            '{"price": 5, "priceCurrency": "USD", "availability": "http://schema.org/OutOfStock"}',
            "",
            id="out of stock",
        ),
        pytest.param(
            '{"price": 5, "priceCurrency": "USD", "priceValidUntil": "2026-11-29"}',
            "",
            id="expired yesterday",
        ),
        pytest.param(
            '{"price": 5, "priceCurrency": "USD", "priceValidUntil": "2026-11-30"}', "$5", id="until today"
        ),
        pytest.param(
            '{"@type": "AggregateOffer", "offers": [{"price": 7, "priceCurrency": "USD"}]}', "$7", id="nested"
        ),
    ],
)
def test_the_price_is_that_of_an_offer_on_sale(offer: str, price: str) -> None:
    assert with_data(f'{{"@type": "Product", "name": "Cup", "offers": {offer}}}').price == price


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            '{"@type": "Product", "name": "Cup", "description": "two\nlines", '
            '"offers": {"price": 5, "priceCurrency": "USD"}}',
            id="line break in a string",
        ),
        pytest.param(
            '{"@type": "Product", "name": "Cup, } red", "offers": {"price": 5, "priceCurrency": "USD",},}',
            id="trailing commas",
        ),
        pytest.param(
            '//<![CDATA[\n{"@type": "Product", /* the cup */ "name": "Cup", "url": "https://a.example/", '
            '"offers": {"price": 5, "priceCurrency": "USD"}}\n//]]>',
            id="CDATA and comments",
        ),
        pytest.param(
            '<!-- {"@type": "Product", "name": "Cup", "offers": {"price": 5, "priceCurrency": "USD"}} -->',
            id="HTML comment",
        ),
        pytest.param(
            '{"@type": "ProductGroup", "name": "Cup", "hasVariant": [{"@type": "Product", "name": "Cup A", '
            '"offers": {"price": 5, "priceCurrency": "USD"}}]}',
            id="variants",
        ),
        pytest.param(
            '[{"@type": "Organization"}, {"@graph": [{"@type": "https://schema.org/Product", "name": "Cup", '
            '"offers": {"price": 5, "priceCurrency": "USD"}}]}]',
            id="graph in a list",
        ),
    ],
)
def test_data_written_by_hand_is_read(data: str) -> None:
    facts = with_data(data)

    assert facts.product.startswith("Cup")
    assert facts.price == "$5"


@pytest.mark.parametrize(
    "html",
    [
        pytest.param(
            """<div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name">Cup</h1>
            <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
            <span itemprop="price" content="18.00">18,00</span><meta itemprop="priceCurrency" content="EUR">
            <link itemprop="availability" href="https://schema.org/InStock"></div>
            <div itemprop="aggregateRating" itemscope><b itemprop="ratingValue">4,6</b>
            (<i itemprop="reviewCount">1,204</i>)</div></div>""",
            id="microdata",
        ),
        pytest.param(
            """<div vocab="https://schema.org/" typeof="Product"><h1 property="name">Cup</h1>
            <div property="offers" typeof="Offer"><span property="price" content="18.00"></span>
            <span property="priceCurrency">EUR</span></div>
            <div property="aggregateRating" typeof="AggregateRating"><b property="ratingValue">4.6</b>
            <i property="reviewCount">1204</i></div></div>""",
            id="RDFa",
        ),
    ],
)
def test_marked_up_html_is_read(html: str) -> None:
    facts = read(f"<title>Shop</title>{html}")

    assert (facts.product, facts.price) == ("Cup", "€18")
    assert (facts.rating, facts.rating_best, facts.reviews) == ("4.6", "5", 1204)


def test_the_price_of_meta_tags_is_read_unless_the_product_is_out_of_stock() -> None:
    tags = """<title>Cup</title><meta property="product:price:amount" content="1.299,00">
    <meta property="product:price:currency" content="EUR">"""

    assert read(tags).price == "€1,299"
    assert read(f'{tags}<meta property="product:availability" content="out of stock">').price == ""


def test_a_rating_keeps_its_scale() -> None:
    facts = with_data(
        '{"@type": "Product", "name": "Cup", '
        '"aggregateRating": {"ratingValue": "8.4", "bestRating": "10", "reviewCount": "1"}}'
    )

    assert (facts.rating, facts.rating_best, facts.reviews) == ("8.4", "10", 1)


def test_refusals_and_notices_are_no_benefits() -> None:
    facts = read("""<title>Cup</title><main><ul><li>We use cookies to improve our site</li>
        <li>Sorry, not available in your country</li><li>Glazed by hand</li></ul>
        <p>No returns on sale items.</p><p>Free delivery from $30</p></main>""")

    assert facts.benefits == ("Glazed by hand",)
    assert facts.shipping == "Free delivery from $30"


@pytest.mark.parametrize(
    ("text", "language", "calls"),
    [
        ("Add to cart", "en", True),
        ("Contact us", "en", True),
        ("Book a test ride", "en", True),
        ("Toggle find", "en", False),
        ("Find a store", "en", False),
        ("Learn more", "en", False),
        ("Get directions", "en", False),
        ("Mua ngay", "vi", True),
        ("Thêm vào giỏ", "vi", True),
        ("Add to cart", "vi", False),
        ("Tìm cửa hàng", "vi", False),
    ],
)
def test_a_call_to_action_is_a_call_to_buy_or_contact(text: str, language: str, calls: bool) -> None:
    assert is_call_to_action(text, language) is calls


@pytest.mark.parametrize(
    ("text", "currency", "price"),
    [
        ("1,234.50", "USD", "1234.50"),
        ("1.234.567", "VND", "1234567"),
        ("1'250.00 CHF", "CHF", "1250.00"),
        ("1\u202f299,90 €", "EUR", "1299.90"),
        ("19,9", "EUR", "19.9"),
        ("1,299", "USD", "1299"),
        ("3980", "JPY", "3980"),
        ("24.900 Ft", "HUF", "24900"),
        ("0,875", "EUR", "0.875"),
        ("1.23.4", "USD", None),
        ("free", "USD", None),
        ("0", "USD", None),
    ],
)
def test_prices_are_read(text: str, currency: str, price: str | None) -> None:
    assert read_price(text, currency) == (Decimal(price) if price else None)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        pytest.param("Tách".encode("utf-16"), None, "Tách", id="byte order mark"),
        pytest.param("“Cup”".encode("cp1252"), "iso-8859-1", "“Cup”", id="latin1 is windows-1252"),
        pytest.param("コーヒー".encode("shift_jis"), "Shift_JIS", "コーヒー", id="label of the header"),
        pytest.param(
            '<meta charset="gbk">摩卡'.encode("gbk"), None, '<meta charset="gbk">摩卡', id="declared"
        ),
        pytest.param("Tách".encode(), "utf8mb4", "Tách", id="a label that is none"),
        pytest.param(b"abc-", "punycode", "abc-", id="a Python codec that browsers do not support"),
        pytest.param(b"abc", "a\0", "abc", id="a label with a control character"),
        pytest.param(b"a\xffc", "utf-8", "a\ufffdc", id="invalid bytes"),
    ],
)
def test_text_is_decoded_as_browsers_do(body: bytes, charset: str | None, text: str) -> None:
    assert decode_page(body, charset) == text


def test_malformed_addresses_are_left_out() -> None:
    facts = read(
        '<title>Cup</title><link rel="stylesheet" href="//[::1"><img src="http://[x"><img src="/cup.jpg">'
        '<img srcset="/a.jpg ²x, /b.jpg 2x" class="logo" src="//[">'
    )

    assert [image.url for image in facts.images] == [
        "https://shop.example/cup.jpg",
        "https://shop.example/b.jpg",
    ]
    assert facts.style_sheets == facts.logos == ()
