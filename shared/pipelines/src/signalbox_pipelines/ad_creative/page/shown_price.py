"""The price that a page shows to people, for pages without a price in their data. Pure.

A heuristic: the first amount with a currency after the heading, in an element that is named for a price.
Former prices, and those of other products, units, delivery and instalments are left out. The amount is kept
as the page writes it.
"""

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from signalbox_core.formats.currencies import CODES, SIGNS
from signalbox_core.formats.numerals import NUMERAL
from signalbox_pipelines.ad_creative.copy.phrases import is_refusal_or_notice
from signalbox_pipelines.ad_creative.messages import PageLanguage
from signalbox_pipelines.ad_creative.page.headings import find_heading, short_text

_MAX_ELEMENTS: Final = 400
_MAX_ANCESTORS: Final = 10
_MAX_CHARS: Final = 40
_OTHER_TAGS: Final = frozenset({"a", "del", "s", "strike", "nav", "footer"})
_ELEMENTS: Final = ",".join(
    ["h1", '[class*="stock" i]', '[class*="availab" i]', '[id*="availab" i]']
    + [
        f'[{name}*="{word}" i]'
        for name in ("class", "id", "itemprop")
        for word in ("price", "prix", "preis", "precio", "prezzo", "preco", "cena", "fiyat", "giaban")
    ]
)
_OTHER_SIGNS: Final = ("Kn", "kr", "Ft", "lei", "лв", "тг", "руб", "грн", "元", "円", "원", "Rs", "RM", "Rp")
_CURRENCY: Final = "|".join(
    sorted((re.escape(sign) for sign in (*SIGNS, *CODES, *_OTHER_SIGNS)), key=len, reverse=True)
)
_WRITTEN: Final = rf"{NUMERAL}(?:,[-–])?"
_AMOUNT: Final = re.compile(
    rf"(?P<before>[^\d]{{0,16}}?)"
    rf"(?P<amount>(?:{_CURRENCY})\.?\s?{_WRITTEN}|{_WRITTEN}\s?(?:{_CURRENCY})\.?)"
    rf"(?P<after>[^\d]{{0,12}})"
)
_STOCK: Final = re.compile("stock|availab", re.IGNORECASE)
_OTHER_PRICE: Final = re.compile(
    r"old|was(?:$|[-_ ])|list-?price|strike|cross(?:ed)?-?out|regular|before|orig|rrp|msrp|uvp"
    r"|sav(?:e|ing)|discount"
    r"|(?:^|[-_ ])unit|per-|tax|vat|shipping|deliver|livraison|courier|install|month|(?:^"
    r"|[-_ ])rate|coupon|voucher"
    r"|deposit|compare|previous|former|normal|reward|points|cashback|trade-?in",
    re.IGNORECASE,
)
_OTHER_PRODUCT: Final = re.compile(
    r"relat|recommend|(?:^|[-_ ]|bit)recs?(?:$|[-_ ])|similar|also|another|other-?|carousel|upsell"
    r"|cross-?sell|viewed"
    r"|sponsor|bundle|accessor|suggest|mini-?cart|wishlist|nav(?:bar|igation)|(?:^|[-_ ])menu"
    r"|footer|swiper|slick|popup"
    r"|modal|mbc|shipping|deliver|livraison|courier|product-(?:list|grid|card|tile)",
    re.IGNORECASE,
)
_PIECE: Final = r"\s*/\s*(?:pcs?|piece|tk|unité|ud|stück|stk|st|ks|шт|db|ea|each)\.?\s*"
_UNIT_OR_RANGE: Final = re.compile(r"/|\bper\b|%|[-–]\s*$|^\s*[-–+]|\bmonat|\bmonth", re.IGNORECASE)


def find_shown_price(tree: LexborHTMLParser, product: str, language: PageLanguage) -> str:
    """Return the amount with its currency as the page shows it, such as `66,75 €`; empty without a clear one.

    Args:
        product: the name of the product, by which its heading is found.
        language: in which the page may state that the product is sold out; it then has no price.
    """
    heading = find_heading(tree, product)
    around_heading = set(_ancestor_ids(heading))
    for element in _elements_after(tree, heading):
        text = short_text(element, _MAX_CHARS)
        if _STOCK.search(_names(element)):
            if is_refusal_or_notice(text, language) and not _is_other(element, around_heading):
                return ""
            continue
        found = _AMOUNT.fullmatch(text)
        if found and not _is_other(element, around_heading):
            beside = re.sub(_PIECE, "", found["before"] + found["after"], flags=re.IGNORECASE)
            if not _UNIT_OR_RANGE.search(beside):
                return " ".join(found["amount"].split())
    return ""


def _elements_after(tree: LexborHTMLParser, heading: LexborNode | None) -> Iterator[LexborNode]:
    """Yield the elements that are named for a price or stock after the heading, or all without one."""
    has_begun, seen = heading is None, set[int]()
    for element in tree.css(_ELEMENTS):
        if heading is not None and element.mem_id == heading.mem_id:
            has_begun = True
        elif has_begun and element.tag != "h1" and element.mem_id not in seen:
            seen.add(element.mem_id)
            yield element
        if len(seen) >= _MAX_ELEMENTS:
            break


def _is_other(element: LexborNode, around_heading: set[int]) -> bool:
    """Whether the element, or one around it but not the heading, belongs to another price or product."""
    if _OTHER_PRICE.search(_names(element)):
        return True
    node: LexborNode | None = element
    for _ in range(_MAX_ANCESTORS):
        if node is None or node.mem_id in around_heading:
            return False
        if node.tag in _OTHER_TAGS or _OTHER_PRODUCT.search(_names(node)):
            return True
        node = node.parent
    return False


def _ancestor_ids(element: LexborNode | None) -> Iterator[int]:
    node = element.parent if element is not None else None
    while node is not None:
        yield int(node.mem_id)
        node = node.parent


def _names(element: LexborNode) -> str:
    attributes = element.attributes
    return f"{attributes.get('class') or ''} {attributes.get('id') or ''}"[:300]
