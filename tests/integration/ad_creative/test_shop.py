"""The demo shop serves every file that its pages link to."""

import socket
import subprocess
import sys

import pytest

from signalbox_core.http.fetch import HTML, PICTURES
from signalbox_devstack.emulators.shop.catalogue import PRODUCTS
from signalbox_pipelines.ad_creative.page.facts import read_page
from support.servers.shop import Shop


@pytest.mark.parametrize("path", [product.path for product in PRODUCTS])
async def test_every_picture_logo_and_style_sheet_is_served(shop: Shop, path: str) -> None:
    fetcher = shop.fetcher()
    page = await fetcher.fetch(shop.url(path), accept=HTML)
    facts = read_page(page.body, url=page.url, charset=page.charset)

    for image in facts.images:
        await fetcher.fetch(image.url, accept=PICTURES)
    await fetcher.fetch(facts.logos[0], accept=PICTURES)
    await fetcher.fetch(facts.style_sheets[0], accept=frozenset({"text/css"}))
    assert len(facts.benefits) == 3


def test_a_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "signalbox_devstack.emulators.shop", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [ended.stderr.strip()]
    assert f"cannot listen on port {port}" in ended.stderr
