"""The fake fetcher and the real one behave the same."""

from collections.abc import Iterator

import pytest

from signalbox_core.errors import Rejected
from signalbox_core.http.fetch import HTML, Fetched, Fetches
from signalbox_core.testing.fetch import FakeFetcher
from support.servers.shop import Shop, running_shop

PDF = Fetched(url="", status=200, media_type="application/pdf", body=b"%PDF-1.7")
PAGE = Fetched(url="", status=200, media_type="text/html", body=b"<!doctype html>" + b"x" * 2000)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running_shop() as shop:
        yield shop


@pytest.fixture(params=["fake", "real"])
def fetcher(request: pytest.FixtureRequest, shop: Shop) -> Fetches:
    if request.param == "real":
        return shop.fetcher()
    return FakeFetcher({shop.url("en/cup"): PAGE, shop.url("traps/not-html"): PDF})


async def test_a_page_is_fetched(fetcher: Fetches, shop: Shop) -> None:
    page = await fetcher.fetch(shop.url("en/cup"), accept=HTML)

    assert (page.status, page.media_type) == (200, "text/html")
    assert page.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("path", "cap", "code"),
    [
        ("missing", None, "page_not_found"),
        ("traps/not-html", None, "not_html"),
        ("en/cup", 1000, "too_large"),
    ],
)
async def test_an_unusable_page_is_rejected(
    fetcher: Fetches, shop: Shop, path: str, cap: int | None, code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await fetcher.fetch(shop.url(path), accept=HTML, max_bytes=cap, field="input.url")

    assert refused.value.stable_code == code
    assert refused.value.field in ("input.url", "url")
