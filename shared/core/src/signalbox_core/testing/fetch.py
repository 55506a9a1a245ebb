"""An in-memory fetcher for tests of code that fetches pages."""

from collections.abc import Mapping

from signalbox_core.errors import Rejected, SignalboxError
from signalbox_core.http.fetch import Fetched, OnBytes


class FakeFetcher:
    """Returns what `pages` has for a URL, and raises the errors there; `asked` lists the requested URLs."""

    def __init__(self, pages: Mapping[str, Fetched | SignalboxError]) -> None:
        self._pages = pages
        self.asked: list[str] = []

    async def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str],
        max_bytes: int | None = None,
        field: str = "url",
        on_bytes: OnBytes | None = None,
    ) -> Fetched:
        self.asked.append(url)
        page = self._pages.get(url) or Rejected(
            f"{url} does not exist (404); check the address", field=field, code="page_not_found"
        )
        if isinstance(page, SignalboxError):
            raise page
        if page.media_type not in accept:
            code = "not_html" if "text/html" in accept else "wrong_media_type"
            raise Rejected(
                f"{url} is {page.media_type}; expected {', '.join(sorted(accept))}", field=field, code=code
            )
        if max_bytes is not None and len(page.body) > max_bytes:
            raise Rejected(
                f"{url} is larger than {max_bytes / 1_000_000:g} MB", field=field, code="too_large"
            )
        if on_bytes is not None:
            on_bytes(len(page.body), len(page.body))
        return page
