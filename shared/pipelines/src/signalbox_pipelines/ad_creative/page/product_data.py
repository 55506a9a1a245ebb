"""What a page states about its product as data: JSON-LD first, then microdata, RDFa and meta tags. Pure.

Only what is on sale has a price: offers that are out of stock or have expired are left out.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct
from selectolax.lexbor import LexborHTMLParser

from signalbox_core.formats.currencies import has_decimals
from signalbox_core.formats.numerals import NUMERAL, read_numeral
from signalbox_pipelines.ad_creative.page.linked_data import (
    Node,
    find_products,
    first,
    items_at,
    text_at,
    texts_at,
)
from signalbox_pipelines.ad_creative.page.microdata import find_marked_products
from signalbox_pipelines.ad_creative.page.plain_text import plain_text

_UNAVAILABLE: Final = re.compile(
    r"out_?of_?stock|soldout|sold_out|discontinued|oos\b|reserved", re.IGNORECASE
)
_NUMERAL: Final = re.compile(NUMERAL)
_MAX_OFFERS: Final = 200
_META_PRICES: Final = ("product:price:amount", "product:sale_price:amount", "og:price:amount")


class Offer(Struct, frozen=True):
    """A price at which the product is sold. `is_lowest`: others exist that cost more."""

    price: Decimal
    currency: str
    is_lowest: bool = False


class Rating(Struct, frozen=True):
    """An average rating on a scale up to `best`, given by `count` people."""

    value: Decimal
    best: Decimal
    count: int


class ProductData(Struct, frozen=True, kw_only=True):
    """The product; what the page does not state is empty or None.

    `is_off_sale`: the data states that an offer is out of stock or has expired.
    """

    name: str = ""
    description: str = ""
    brand: str = ""
    logo: str = ""
    slogan: str = ""
    images: tuple[str, ...] = ()
    offer: Offer | None = None
    is_off_sale: bool = False
    rating: Rating | None = None


def read_product(tree: LexborHTMLParser, meta: Mapping[str, str], today: date) -> ProductData:
    """Read the data of the page's product.

    Args:
        meta: the page's meta tags.
        today: the day on which offers must be valid.
    """
    scripts = [node.text() for node in tree.css('script[type*="ld+json"]')]
    products = [*find_products(scripts), *find_marked_products(tree)]
    node = _main_product(products)
    same = [
        item
        for item in products
        if not text_at(item, "name") or text_at(item, "name") == text_at(node, "name")
    ]
    sources = [node, *(item for item in same if item is not node), *_variants(node)]
    is_off_sale = _is_off_sale(sources, meta, today)
    return ProductData(
        name=_text(sources, "name"),
        description=_text(sources, "description"),
        brand=_text(sources, "brand") or _text(sources, "manufacturer"),
        logo=text_at(node, "brand", "logo"),
        slogan=_text(sources, "slogan"),
        images=tuple(dict.fromkeys(link for item in sources for link in texts_at(item, "image"))),
        offer=_lowest_offer(sources, today) or (None if is_off_sale else _meta_offer(meta)),
        is_off_sale=is_off_sale,
        rating=next((rating for item in sources if (rating := _rating(item))), None),
    )


def read_price(text: str, currency: str) -> Decimal | None:
    """Read a price such as `1.299,00`, `1,299.00`, `24.900` (VND) or `€ 19,90`; None without a number.

    Data states prices with a decimal point, so a comma before three digits groups.
    """
    match = _NUMERAL.search(text)
    number = (
        read_numeral(match.group(), decimal=".", whole_only=not has_decimals(currency)) if match else None
    )
    value = Decimal(number.value) if number is not None else Decimal(0)
    return value if value > 0 else None


def _main_product(products: Sequence[Node]) -> Node:
    """Return the product that the page is about: the first one with an offer, else the first one."""
    return next((node for node in products if node.get("offers") or node.get("hasVariant")), None) or (
        products[0] if products else {}
    )


def _variants(node: Node) -> list[Node]:
    return [item for item in items_at(node, "hasVariant")[:_MAX_OFFERS] if isinstance(item, dict)]


def _text(sources: Sequence[Node], name: str) -> str:
    return next((text for node in sources if (text := text_at(node, name))), "")


def _lowest_offer(sources: Sequence[Node], today: date) -> Offer | None:
    found = [
        price
        for node in sources
        for item in items_at(node, "offers")[:_MAX_OFFERS]
        if isinstance(item, dict)
        for price in _prices(item, today)
    ]
    if not found:
        return None
    currency = found[0].currency
    prices = sorted({offer.price for offer in found if offer.currency == currency})
    return Offer(prices[0], currency, len(prices) > 1 or any(offer.is_lowest for offer in found))


def _prices(offer: Node, today: date) -> list[Offer]:
    """Return the prices of an offer; none when it is not on sale."""
    if _is_withdrawn(offer, today):
        return []
    nested = [item for item in items_at(offer, "offers")[:_MAX_OFFERS] if isinstance(item, dict)]
    if prices := [price for item in nested for price in _prices(item, today)]:
        return prices
    if nested and any(_is_withdrawn(item, today) for item in nested):
        return []
    specification = first(offer.get("priceSpecification"))
    stated = [offer, *([specification] if isinstance(specification, dict) else [])]
    currency = (_text(stated, "priceCurrency") or "").upper()
    amount = _text(stated, "price") or _text(stated, "lowPrice") or _text(stated, "minPrice")
    price = read_price(amount, currency)
    has_more = not _text(stated, "price") and _text(stated, "highPrice") not in ("", amount)
    return [Offer(price, currency, has_more)] if price is not None else []


def _is_off_sale(sources: Sequence[Node], meta: Mapping[str, str], today: date) -> bool:
    stated = [item for node in sources for item in items_at(node, "offers") if isinstance(item, dict)]
    availability = meta.get("product:availability", "") + meta.get("og:availability", "")
    return _UNAVAILABLE.search(availability.replace(" ", "")) is not None or any(
        _is_withdrawn(item, today) for item in stated
    )


def _is_withdrawn(offer: Node, today: date) -> bool:
    is_unavailable = _UNAVAILABLE.search(text_at(offer, "availability")) is not None
    return is_unavailable or _has_expired(offer, today)


def _meta_offer(meta: Mapping[str, str]) -> Offer | None:
    amount = next((meta[name] for name in _META_PRICES if meta.get(name)), "")
    currency = (meta.get("product:price:currency") or meta.get("og:price:currency") or "").upper()
    price = read_price(plain_text(amount), currency)
    return Offer(price, currency) if price is not None else None


def _has_expired(offer: Node, today: date) -> bool:
    until = text_at(offer, "priceValidUntil") or text_at(offer, "validThrough")
    try:
        return date.fromisoformat(until[:10]) < today
    except ValueError:
        return False


def _rating(node: Node) -> Rating | None:
    stated = first(node.get("aggregateRating"))
    if not isinstance(stated, dict):
        return None
    value = _decimal(text_at(stated, "ratingValue"))
    best = _decimal(text_at(stated, "bestRating")) or Decimal(5)
    count = text_at(stated, "reviewCount") or text_at(stated, "ratingCount")
    digits = re.sub(r"[.,\s]", "", count)
    if value is None or not 0 < value <= best:
        return None
    return Rating(value, best, int(digits) if digits.isdecimal() and len(digits) < 10 else 0)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
