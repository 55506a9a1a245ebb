"""Random pages: the readers raise no other errors than their own, and take less than a second per 100 kB.

The examples are fixed, unless `FUZZ_EXAMPLES` sets their number; 6,000 take about ten minutes.
"""

import json
import os
import time
from contextlib import suppress
from datetime import date
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox_core.errors import SignalboxError
from signalbox_pipelines.ad_creative.copy.copywriter import ideas_from_facts
from signalbox_pipelines.ad_creative.design.fonts import FontSelection
from signalbox_pipelines.ad_creative.design.line_breaks import split_characters
from signalbox_pipelines.ad_creative.design.text_runs import split_runs
from signalbox_pipelines.ad_creative.messages import Palette
from signalbox_pipelines.ad_creative.page.facts import build_brand, read_page
from signalbox_pipelines.ad_creative.page.palette import choose_palette

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "60"))
FUZZ: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
MAX_CPU_S: Final = 1.0
SIZE: Final = 100_000
PALETTE: Final = Palette(primary="#0a5c4a", accent="#d9480f", paper="#fbf3e2")

WORDS: Final = st.sampled_from(
    ["Product", "Offer", "AggregateOffer", "ProductGroup", "price", "lowPrice", "highPrice",
     "priceCurrency", "offers", "name", "brand", "image", "description", "slogan", "aggregateRating",
     "ratingValue", "bestRating", "reviewCount", "hasVariant", "@graph", "@type", "@id",
     "availability", "OutOfStock", "priceValidUntil", "2026-13-45", "USD", "VND", "1.299,00",
     "1,299.00", "-1", "NaN", "Infinity", "1e999", "9" * 400, "٣٫٥", "²", "", " ", "\ud800", "\x00",
     "<b>", "&#x0;"]
)  # fmt: skip
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=25,
)
ATTRIBUTES: Final = st.sampled_from(
    ['itemscope itemtype="https://schema.org/Product"', 'itemprop="price"',
     'itemprop="offers" itemscope', 'class="price"', 'typeof="schema:Product"',
     'property="schema:name"', 'content="1,9"', 'class="btn"', 'class="benefits"', 'lang="ar"',
     'srcset="a 1x, b 2.5.5w, c"', 'href="//[::1"', 'src="http://[x"', 'class="sold-out stock"',
     "style=\"color:\"", "a='"]
)  # fmt: skip
TAGS: Final = st.sampled_from(
    ["div", "span", "li", "h1", "img", "a", "p", "meta", "script", "style", "title", "main", "svg",
     "template", "table", "del"]
)  # fmt: skip
TEXTS: Final = (
    st.text(max_size=20)
    | WORDS
    | st.sampled_from(["$5.00", "€ 1.299,00", "Sold out", "Add to cart", "🔥", "غلاية"])
)


@st.composite
def elements(draw: st.DrawFn) -> str:
    tag = draw(TAGS)
    attributes = " ".join(draw(st.lists(ATTRIBUTES, max_size=3)))
    end = draw(st.sampled_from([f"</{tag}>", "", ">", "<!--", "]]>"]))
    return f"<{tag} {attributes}>{draw(TEXTS)}{end}"


@st.composite
def pages(draw: st.DrawFn) -> str:
    data = json.dumps({"@type": "Product", "name": "x", "offers": draw(VALUES), "more": draw(VALUES)})
    body = "".join(draw(st.lists(elements(), max_size=12)))
    broken = draw(st.sampled_from(["", ",", "}", "\n", "/*", '"']))
    return f'<title>t</title><script type="application/ld+json">{data}{broken}</script>{body}'


def read(body: bytes) -> None:
    """Read a page as the activities do, and break and order its texts as the renderer does."""
    began = time.process_time()
    with suppress(SignalboxError):
        facts = read_page(body, "https://shop.example/p", "utf-8", today=date(2026, 11, 30))
        fonts = FontSelection(language=facts.language)
        brand = build_brand(facts, "https://shop.example/p", PALETTE, None, fonts)
        for idea in ideas_from_facts(brand):
            assert "".join(split_characters(idea.headline, facts.language)) == idea.headline
            split_runs(idea.headline, "Bold", FontSelection(is_rtl=True))
    assert time.process_time() - began < MAX_CPU_S * max(1, len(body) / SIZE)


@FUZZ
@given(pages())
def test_a_random_page_is_read_or_refused(page: str) -> None:
    read(page.encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused(body: bytes) -> None:
    read(body)


@settings(FUZZ, max_examples=max(10, EXAMPLES // 4))
@given(st.lists(elements() | TEXTS, min_size=1, max_size=4))
def test_a_part_that_repeats_for_100_kb_takes_less_than_a_second(parts: list[str]) -> None:
    unit = "".join(parts) or "x"
    read(("<h1>x</h1>" + unit * (SIZE // max(1, len(unit)) + 1))[:SIZE].encode("utf-8", "surrogatepass"))


@settings(FUZZ, max_examples=max(10, EXAMPLES // 4))
@given(st.lists(WORDS | st.sampled_from([*'{}[]",:\\', "/* ", "// ", "<!--"]), min_size=1, max_size=6))
def test_repeated_structured_data_takes_less_than_a_second(parts: list[str]) -> None:
    unit = "".join(parts) or "x"
    data = (unit * (SIZE // max(1, len(unit)) + 1))[:SIZE]
    read(
        f'<title>t</title><script type="application/ld+json">{data}</script>'.encode("utf-8", "surrogatepass")
    )


@FUZZ
@given(st.lists(st.text(alphabet="#.{}()@:;,/*\\'\"a0 rgbcolor-!\x00", max_size=40), max_size=5))
def test_random_style_sheets_give_a_palette(sheets: list[str]) -> None:
    began = time.process_time()
    choose_palette([*sheets, "".join(sheets) * 200], "#12345", b"GIF89a")
    assert time.process_time() - began < MAX_CPU_S
