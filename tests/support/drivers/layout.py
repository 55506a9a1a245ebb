"""What is wrong with the layout of a page, by its geometry: independent of typefaces and rasterization."""

from collections.abc import Sequence
from typing import Final

from playwright.sync_api import Page

from support.drivers.console import sideways_overflow

# Controls and texts that reach beyond the window or beyond a box that hides what does not fit. A list or a
# table may scroll by itself, and a text may be shortened visibly, with an ellipsis.
_CUT_OFF: Final = """() => {
  const found = [];
  const hides = (style) => style.overflowX === "hidden" || style.overflowX === "clip";
  const scrolls = (element) => element !== null
    && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  for (const element of document.querySelectorAll("#main *, #rail *")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, svg")) continue;
    const box = element.getBoundingClientRect();
    const label = `${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)}`;
    const isControl = element.matches("a, button, input, select, textarea") && box.width > 0;
    const isOutside = box.left < -1 || box.right > innerWidth + 1;
    if (isControl && isOutside && !scrolls(element.parentElement)) found.push(`outside: ${label}`);
    const style = getComputedStyle(element);
    const isCut = hides(style) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
    if (isCut && style.textOverflow !== "ellipsis" && element.textContent.trim()) found.push(`cut: ${label}`);
  }
  return found;
}"""
# Controls and texts that something else lies on: the point in their middle belongs to another element.
_COVERED: Final = """() => {
  const found = [];
  const isText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const isOwn = (one, other) => one.contains(other) || other.contains(one);
  for (const element of document.querySelectorAll("#main *, #rail *")) {
    const isControl = element.matches("a, button, input, select, textarea, summary");
    if (!isControl && !isText(element)) continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.closest(".visually-hidden, svg, option, :disabled")) continue;
    element.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    const box = [...element.getClientRects()].find(({ width, height }) => width > 2 && height > 2);
    if (!box) continue;
    const [x, y] = [box.left + Math.min(box.width, innerWidth) / 2, box.top + box.height / 2];
    if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
    const hit = document.elementFromPoint(x, y);
    const label = element.closest("label, a, button");
    if (!hit || isOwn(element, hit) || (label && isOwn(label, hit))) continue;
    const text = element.textContent.trim().slice(0, 40);
    found.push(`${element.tagName} ${element.className}: ${text} is under ${hit.tagName} ${hit.className}`);
  }
  scrollTo(0, 0);
  return found;
}"""


def cut_off(page: Page) -> Sequence[str]:
    """Controls and texts that are cut off at the side."""
    return [str(fault) for fault in page.evaluate(_CUT_OFF)]


def layout_faults(page: Page) -> Sequence[str]:
    """Sideways overflow, and what is cut off or covered."""
    overflow = sideways_overflow(page)
    faults = [f"{overflow} px too wide"] if overflow > 0 else []
    return [*faults, *cut_off(page), *(f"covered: {fault}" for fault in page.evaluate(_COVERED))]
