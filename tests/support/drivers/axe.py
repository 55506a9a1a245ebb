"""The accessibility checks of axe-core, run in a page."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from playwright.async_api import Page as AsyncPage
from playwright.sync_api import Page

_RUN: Final = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const why = (checks) => checks.map(({ message }) => message).join("; ");
  const element = ({ html, target, any }) => `${target} ${html.slice(0, 120)} ${why(any)}`;
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(element).join(" | ")}`);
}"""


def axe_violations(page: Page) -> Sequence[str]:
    """The violations of every rule that axe-core has on by default, with the first elements of each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    return [str(violation) for violation in page.evaluate(_RUN)]


async def violations_of(page: AsyncPage) -> Sequence[str]:
    """The same for a page of Playwright's asynchronous API, loaded afresh."""
    await page.evaluate(_script())
    return [str(violation) for violation in await page.evaluate(_RUN)]


def _script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()
