"""Addresses that a page links to: logos, style sheets and pictures. Malformed ones are left out. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from signalbox_pipelines.ad_creative.messages import ImageLink
from signalbox_pipelines.ad_creative.page.product_data import ProductData

_MAX_IMAGES: Final = 12
_MAX_STYLE_SHEETS: Final = 4
_SRCSET_URL: Final = re.compile(r"[ \t\n\f\r,]*([^ \t\n\f\r,][^ \t\n\f\r]*)")
_SRCSET_DESCRIPTORS: Final = re.compile(r"(?:\([^)]*\)?|[^,(])*")
"""Up to the next comma that is not in parentheses."""


def base_address(tree: LexborHTMLParser, url: str) -> str:
    """Return the address that the links of a page are relative to: its first `<base href>`, else its own."""
    stated = next((node.attributes.get("href") or "" for node in tree.css("base[href]")), "")
    address = next(_resolve(url, [stated.strip()]), url)
    return address if address.startswith(("http://", "https://")) else url


def find_logos(tree: LexborHTMLParser, stated: str, url: str) -> tuple[str, ...]:
    """Return the addresses of logos, the most likely first; `stated` is that of the product data."""
    return tuple(dict.fromkeys(_resolve(url, _logos(tree, stated))))


def find_style_sheets(tree: LexborHTMLParser, url: str) -> tuple[str, ...]:
    links = (node.attributes.get("href") or "" for node in tree.css('link[rel="stylesheet"]'))
    return tuple(_resolve(url, links))[:_MAX_STYLE_SHEETS]


def find_images(
    tree: LexborHTMLParser, data: ProductData, share_image: str, url: str
) -> tuple[ImageLink, ...]:
    """Return the pictures of the data, the share image, and those of the page, without its logos."""
    alts = {
        address: node.attributes.get("alt") or ""
        for node in tree.css("img")
        for address in _resolve(url, [_source(node)])
    }
    named = [(address, "product data") for address in _resolve(url, data.images)]
    named += [(address, "share image") for address in _resolve(url, [share_image])]
    logos = set(find_logos(tree, data.logo, url))
    found: dict[str, ImageLink] = {}
    for address, source in [*named, *((address, "page") for address in alts)]:
        if address not in logos and not address.startswith("data:"):
            alt = " ".join(alts.get(address, "").split())[:160]
            found.setdefault(address, ImageLink(url=address, alt=alt, source=source))
    return tuple(found.values())[:_MAX_IMAGES]


def _resolve(url: str, links: Iterable[str]) -> Iterator[str]:
    """Yield the absolute addresses of links; empty and malformed ones are left out."""
    for link in links:
        try:
            address = urljoin(url, link) if link else ""
        except ValueError:
            continue
        if address:
            yield address


def _logos(tree: LexborHTMLParser, stated: str) -> Iterator[str]:
    yield stated
    for node in tree.css('img[class*="logo"], img[src*="logo"], header img'):
        yield node.attributes.get("src") or ""
    for node in tree.css('link[rel="apple-touch-icon"], link[rel="icon"]'):
        yield node.attributes.get("href") or ""


def _source(node: LexborNode) -> str:
    """Return the largest of `srcset`, else `data-src` (lazy loading), else `src`."""
    candidates = list(_parse_srcset(node.attributes.get("srcset") or ""))
    if candidates:
        return max(candidates, key=lambda candidate: candidate[1])[0]
    return node.attributes.get("data-src") or node.attributes.get("src") or ""


def _parse_srcset(text: str) -> Iterator[tuple[str, float]]:
    """Yield address and size of each candidate (HTML standard, "parse a srcset attribute").

    An address ends at white space, and so may contain commas. The size is the width or the density, 1 when
    neither is stated.
    """
    position = 0
    while found := _SRCSET_URL.match(text, position):
        position, address = found.end(), found[1]
        if address.endswith(","):
            yield address.rstrip(","), 1.0
            continue
        descriptors = _SRCSET_DESCRIPTORS.match(text, position)
        position = descriptors.end() if descriptors else position
        yield address, _srcset_size(descriptors[0].split() if descriptors else [])


def _srcset_size(descriptors: list[str]) -> float:
    size = descriptors[0][:-1] if descriptors else ""
    return float(size) if size.replace(".", "", 1).isdecimal() else 1.0
