"""What a person does in the console, and what can be checked on any of its pages."""

from collections.abc import Sequence
from typing import Final

from playwright.sync_api import Locator, Page, expect

from support.drivers.browser import Site, WatchedPage

# A run reads, writes and draws with real parts; one slow machine must not fail the test.
RUN_MS: Final = 60_000
_NAMED_ROLES: Final = frozenset(
    {
        "button",
        "link",
        "textbox",
        "radio",
        "checkbox",
        "combobox",
        "spinbutton",
        "dialog",
        "progressbar",
        "image",
        "navigation",
        "region",
    }
)
_CONTRAST: Final = """() => {
  const channel = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return [parts.slice(0, 3), parts[3] ?? 1];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [colour, alpha] = parse(getComputedStyle(at).backgroundColor);
      if (alpha > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".visually-hidden, .skip, :disabled")) continue;
    const [ink] = parse(getComputedStyle(element).color);
    const [one, other] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const text = element.textContent.trim().slice(0, 40);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${text}`);
  }
  return low;
}"""


def sign_in(page: Page, site: Site, api_key: str) -> None:
    page.goto(f"{site.origin}/")
    page.get_by_label("API key").fill(api_key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()


def start_run(page: Page, address: str, variants: int = 3) -> None:
    """Fill in the start form and send it; the run's page is open afterwards."""
    choose_pipeline(page, "ad_creative")
    page.get_by_label("Page", exact=True).fill(address)
    page.get_by_label("Variants").fill(str(variants))
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", name="Steps")).to_be_visible()


def choose_pipeline(page: Page, name: str) -> None:
    """Go to the start form of a pipeline."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Pipelines").click()
    page.locator(f"a.pipeline[href='#/start/{name}']").click()


def open_tab(page: Page, name: str) -> None:
    """Show a tab of the run's page."""
    tab = page.get_by_role("navigation", name="Parts of the run").get_by_role("link", name=name)
    tab.click()
    expect(tab).to_have_attribute("aria-current", "page")


def asked(page: Page) -> Locator:
    """The open approval, as soon as the run asks."""
    panel = page.locator(".approval.open")
    expect(panel).to_be_visible(timeout=RUN_MS)
    return panel


def cards(panel: Locator) -> Locator:
    return panel.get_by_role("article")


def expect_status(page: Page, word: str) -> None:
    expect(page.locator(".run-facts .status-word")).to_have_text(word, timeout=RUN_MS)


def nameless_controls(page: Page) -> Sequence[str]:
    """What assistive technology would announce without a name."""
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    found = [
        node
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in _NAMED_ROLES
    ]
    return [
        str(node["role"]["value"]) for node in found if not str(node.get("name", {}).get("value", "")).strip()
    ]


def faint_texts(page: Page) -> Sequence[str]:
    """Texts with less than 4.5 : 1 between ink and ground (WCAG 2.2, 1.4.3)."""
    return [str(text) for text in page.evaluate(_CONTRAST)]


def sideways_overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def faults_of(page: Page, watched: WatchedPage, name: str) -> Sequence[str]:
    """Nameless controls, faint texts (light and dark) and sideways overflow of the page in view; with
    screenshots."""
    faults = [f"no name: {role}" for role in nameless_controls(page)]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        faults += [f"{theme}, faint: {text}" for text in faint_texts(page)]
        watched.shot(f"{name}-{theme}")
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    page.set_viewport_size({"width": 360, "height": 780})
    if sideways_overflow(page) > 0:
        faults.append(f"{sideways_overflow(page)} px too wide at 360 px")
    watched.shot(f"{name}-360")
    page.set_viewport_size({"width": 1360, "height": 900})
    return faults
