"""The fetcher against the real shop, over sockets."""

import socket

import pytest

from signalbox_core.errors import InvalidInput, RateLimited, Rejected, Unavailable
from signalbox_core.http.fetch import HTML, PICTURES, Fetcher
from support.servers.shop import Shop


async def test_a_page_is_returned_with_media_type_and_final_url(shop: Shop) -> None:
    page = await shop.fetcher().fetch(shop.url("vi/ca-phe"), accept=HTML)

    assert (page.status, page.media_type, page.charset) == (200, "text/html", "utf-8")
    assert page.url == shop.url("vi/ca-phe")
    assert "Cà phê Sương Mai" in page.body.decode()


async def test_a_redirect_is_followed_to_where_it_ends(shop: Shop) -> None:
    page = await shop.fetcher().fetch(shop.url("traps/once"), accept=HTML)

    assert page.url == shop.url("en/coffee")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("missing", "page_not_found", id="404"),
        pytest.param("traps/members-only", "page_refused", id="401"),
        pytest.param("traps/not-html", "not_html", id="a PDF"),
        pytest.param("traps/lying", "not_html", id="a picture that says it is a page"),
        pytest.param("traps/to-private", "blocked_address", id="redirect to a private address"),
        pytest.param("traps/to-metadata", "blocked_address", id="redirect to cloud metadata"),
        pytest.param("traps/to-file", "invalid_url", id="redirect to a file"),
        pytest.param("traps/to-nowhere", "invalid_url", id="redirect to what is no address"),
        pytest.param("traps/loop", "too_many_redirects", id="redirect loop"),
        pytest.param("traps/big", "too_large", id="10 MB without a length"),
        pytest.param("traps/bomb", "too_large", id="compression bomb"),
    ],
)
async def test_a_bad_page_is_refused_with_code_field_and_remedy(shop: Shop, path: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        await shop.fetcher(max_bytes=5_000_000).fetch(shop.url(path), accept=HTML, field="input.url")

    assert refused.value.stable_code == code
    assert refused.value.field == "input.url"


async def test_text_declared_as_an_image_is_refused(shop: Shop) -> None:
    with pytest.raises(Rejected) as refused:
        await shop.fetcher().fetch(shop.url("traps/words.png"), accept=PICTURES)

    assert refused.value.stable_code == "wrong_media_type"


async def test_a_slow_page_ends_at_the_deadline(shop: Shop) -> None:
    with pytest.raises(Unavailable) as late:
        await shop.fetcher(deadline_s=0.3).fetch(shop.url("traps/slow"), accept=HTML)

    assert late.value.stable_code == "timeout"


async def test_a_server_error_is_retryable(shop: Shop) -> None:
    with pytest.raises(Unavailable):
        await shop.fetcher().fetch(shop.url("traps/broken"), accept=HTML)


async def test_a_busy_server_gives_a_retry_delay(shop: Shop) -> None:
    with pytest.raises(RateLimited) as busy:
        await shop.fetcher().fetch(shop.url("traps/busy"), accept=HTML)

    assert busy.value.retry_after_s == 7


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "[::ffff:7f00:1]",
    ],
)
async def test_this_machine_cannot_be_reached_under_any_spelling(shop: Shop, host: str) -> None:
    port = shop.endpoint.rpartition(":")[2]

    with pytest.raises(Rejected) as refused:
        await Fetcher().fetch(f"http://{host}:{port}/", accept=HTML)

    assert refused.value.stable_code in ("blocked_address", "unknown_host")


async def test_only_the_allowed_port_of_an_address_is_open(shop: Shop) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    with other, pytest.raises(Rejected, match="not a public address"):
        await shop.fetcher().fetch(f"http://127.0.0.1:{other.getsockname()[1]}/", accept=HTML)


async def test_a_public_address_is_open_on_web_ports_only() -> None:
    with pytest.raises(Rejected) as refused:
        await Fetcher().fetch("http://93.184.216.34:6379/", accept=HTML)

    assert refused.value.stable_code == "blocked_port"


async def test_a_name_that_does_not_exist_is_the_callers_to_change() -> None:
    with pytest.raises((Rejected, Unavailable)) as refused:
        await Fetcher().fetch("http://no-such-host.invalid/", accept=HTML)

    assert "no-such-host.invalid" in refused.value.detail


async def test_a_name_is_resolved_once_and_its_checked_address_connected_to(shop: Shop) -> None:
    """No DNS rebinding gap: a second lookup would give another address, and is never made."""
    ip, _, port = shop.endpoint.rpartition(":")
    answers = [[ip]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    page = await Fetcher(frozenset({shop.endpoint}), resolve=resolve).fetch(
        f"http://shop.example:{port}/en/cup", accept=HTML
    )

    assert page.url == f"http://shop.example:{port}/en/cup"
    assert answers == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    with pytest.raises(Rejected, match=r"shop\.example \(10\.0\.0\.7\) is not a public address"):
        await Fetcher(resolve=resolve).fetch("http://shop.example/", accept=HTML)


async def test_credentials_are_neither_sent_nor_repeated() -> None:
    with pytest.raises(InvalidInput) as refused:
        await Fetcher().fetch("https://lan:geheim@shop.example/", accept=HTML)

    assert "geheim" not in refused.value.detail
