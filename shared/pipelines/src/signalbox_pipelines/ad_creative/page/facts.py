"""Extracts facts about a product from the HTML of its page; structured data takes precedence. Pure."""

import re
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from selectolax.lexbor import LexborHTMLParser, LexborNode

from signalbox_core.errors import Rejected
from signalbox_pipelines.ad_creative.contract import Language
from signalbox_pipelines.ad_creative.copy.language import (
    detect_language,
    format_offer,
    format_rating,
    is_call_to_action,
)
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES, is_refusal_or_notice, mentions_shipping
from signalbox_pipelines.ad_creative.design.fonts import (
    FontSelection,
    scripts_without_font,
    without_uncovered_symbols,
)
from signalbox_pipelines.ad_creative.design.scripts import KNOWN_SCRIPTS
from signalbox_pipelines.ad_creative.messages import (
    BrandFacts,
    ImageLink,
    PageLanguage,
    Palette,
    StoredPicture,
)
from signalbox_pipelines.ad_creative.page.charsets import decode_page
from signalbox_pipelines.ad_creative.page.headings import find_heading
from signalbox_pipelines.ad_creative.page.links import (
    base_address,
    find_images,
    find_logos,
    find_style_sheets,
)
from signalbox_pipelines.ad_creative.page.page_limits import check_page_limits
from signalbox_pipelines.ad_creative.page.plain_text import plain_text, without_private
from signalbox_pipelines.ad_creative.page.product_data import read_product
from signalbox_pipelines.ad_creative.page.shown_price import find_shown_price

_SEPARATORS: Final = re.compile(r"\s[–—|·-]\s")


class PageFacts(Struct, frozen=True, kw_only=True):
    """The facts of a page; those that were not found are empty."""

    name: str
    product: str
    language: PageLanguage
    description: str
    slogan: str
    price: str
    rating: str
    rating_best: str
    reviews: int
    benefits: tuple[str, ...]
    shipping: str
    cta: str
    theme: str
    logos: tuple[str, ...]
    style_sheets: tuple[str, ...]
    inline_css: tuple[str, ...]
    images: tuple[ImageLink, ...]


def read_page(
    body: bytes, url: str, charset: str | None, wanted: Language = "auto", today: date | None = None
) -> PageFacts:
    """Extract the facts of a page.

    Args:
        charset: from the `Content-Type` header; None if not given.
        wanted: a language, or `auto` for that of the page.
        today: the day on which its offers must be valid; by default the current one.

    Raises:
        Rejected: `no_product`: the page has neither a product name nor a title; `page_too_complex`: it is
            beyond the limits of `page_limits`.
    """
    check_page_limits(body, url)
    tree = LexborHTMLParser(decode_page(body, charset))
    meta = _meta(tree)
    data = read_product(tree, meta, today or datetime.now(UTC).date())
    title = _text(tree.css_first("title"))
    product = (
        data.name
        or meta.get("og:title", "")
        or _text(find_heading(tree, title))
        or _SEPARATORS.split(title)[0]
    )
    if not product:
        raise Rejected(
            f"{url} has no title and names no product; use the page of a product",
            field="url",
            code="no_product",
        )
    description = (
        data.description
        or meta.get("description", "")
        or meta.get("og:description", "")
        or _first_paragraph(tree)
    )
    language = detect_language(tree.css_first("html"), sample=f"{product} {description}", wanted=wanted)
    is_priced = data.offer is not None or data.is_off_sale
    shown_price = "" if is_priced else find_shown_price(tree, product, language)
    base = base_address(tree, url)
    return PageFacts(
        name=_brand_name(data.brand, meta, title, url),
        product=_clip(product, 80),
        language=language,
        description=_clip(description, 400),
        slogan=_slogan(tree, (data.slogan, meta.get("og:description", "")), description, language),
        price=format_offer(data.offer, language) or shown_price,
        rating=format_rating(data.rating, language),
        rating_best=f"{data.rating.best.normalize():f}" if data.rating else "5",
        reviews=data.rating.count if data.rating else 0,
        benefits=_benefits(tree, language),
        shipping=_shipping(tree, language),
        cta=_find_call_to_action(tree, language),
        theme=meta.get("theme-color", ""),
        logos=find_logos(tree, data.logo, base),
        style_sheets=find_style_sheets(tree, base),
        inline_css=tuple(node.text() for node in tree.css("style")[:6]),
        images=find_images(tree, data, meta.get("og:image", ""), base),
    )


def build_brand(
    facts: PageFacts, page: str, palette: Palette, logo: StoredPicture | None, fonts: FontSelection
) -> BrandFacts:
    """Combine the facts of a page with its colours and logo. Symbols that no font covers are left out."""

    def drawable(text: str) -> str:
        return without_uncovered_symbols(text, fonts)

    return BrandFacts(
        page=page,
        name=drawable(facts.name) or facts.name,
        product=drawable(facts.product) or facts.product,
        language=facts.language,
        palette=palette,
        description=drawable(facts.description),
        slogan=drawable(facts.slogan),
        price=facts.price,
        rating=facts.rating,
        rating_best=facts.rating_best,
        reviews=facts.reviews,
        benefits=tuple(text for benefit in facts.benefits if (text := drawable(benefit))),
        shipping=drawable(facts.shipping),
        cta=drawable(facts.cta),
        logo=logo,
        images=facts.images,
        scripts_without_font=scripts_without_font(fonts, KNOWN_SCRIPTS),
    )


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta"):
        name = node.attributes.get("property") or node.attributes.get("name")
        content = node.attributes.get("content")
        if name and content:
            found.setdefault(name.lower(), plain_text(content))
    return found


def _brand_name(brand: str, meta: dict[str, str], title: str, url: str) -> str:
    parts = _SEPARATORS.split(title)
    named = brand or meta.get("og:site_name", "") or meta.get("application-name", "")
    return _clip(
        named or (parts[-1] if len(parts) > 1 else "") or (urlsplit(url).hostname or "").removeprefix("www."),
        40,
    )


def _slogan(tree: LexborHTMLParser, stated: tuple[str, str], description: str, language: PageLanguage) -> str:
    marked = tree.css_first('[class*="slogan"], [class*="tagline"], [class*="subtitle"], [class*="lead"]')
    for text in (stated[0], _text(marked), stated[1]):
        if text and text != description and len(text) <= 90 and not is_refusal_or_notice(text, language):
            return text
    return ""


def _benefits(tree: LexborHTMLParser, language: PageLanguage) -> tuple[str, ...]:
    marked = tree.css('[class*="benefit"] li, [class*="feature"] li, [class*="usp"] li')
    items = marked or [
        node for node in tree.css("main li, article li, section li") if not node.css_first("a")
    ]
    shortest = _shortest(language)
    texts = [_text(node) for node in items]
    return tuple(
        dict.fromkeys(
            text for text in texts if shortest <= len(text) <= 70 and not is_refusal_or_notice(text, language)
        )
    )[:6]


def _shipping(tree: LexborHTMLParser, language: PageLanguage) -> str:
    shortest = _shortest(language)
    texts = (_text(node) for node in tree.css('[class*="shipping"], [class*="delivery"], p, li'))
    return next(
        (
            text
            for text in texts
            if shortest <= len(text) <= 60
            and mentions_shipping(text, language)
            and not is_refusal_or_notice(text, language)
        ),
        "",
    )


def _shortest(language: PageLanguage) -> int:
    """Return the length of the shortest claim in characters."""
    return 6 if PHRASES[language].is_spaced else 4


def _find_call_to_action(tree: LexborHTMLParser, language: PageLanguage) -> str:
    nodes = tree.css(
        'main [class*="button"], main [class*="btn"], [class*="cta"], main button, '
        '[class*="button"], [class*="btn"], button'
    )
    texts = [text for node in nodes if 2 <= len(text := _text(node)) <= 24]
    return next((text for text in texts if is_call_to_action(text, language)), "")


def _first_paragraph(tree: LexborHTMLParser) -> str:
    return next(
        (text for node in tree.css("main p, article p, p") if 20 <= len(text := _text(node)) <= 600), ""
    )


def _text(node: LexborNode | None) -> str:
    return without_private(" ".join(node.text(separator=" ").split())) if node else ""


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rsplit(" ", 1)[0] + "…"
