"""Take the two pictures of the console that the README shows, light and dark.

Start the embedded stack with `make dev`, then run `python tools/console_pictures.py`. It starts a run of
ad_creative and leaves its question open.
"""

import argparse
import io
import sys
from pathlib import Path

import msgspec
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from browser import find_browser
from signalbox_client import Signalbox
from signalbox_devstack.stack.endpoints import Endpoints

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
SIZE = (1440, 900)
QUALITY = 86
MAX_BYTES = 150_000


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("--endpoints", type=Path, default=ROOT / ".state" / "dev" / "endpoints.json")
    endpoints = msgspec.json.decode(parser.parse_args().endpoints.read_bytes(), type=Endpoints)
    browser = find_browser()
    if browser is None:
        sys.exit("no Chromium on PATH; `python tools/browser.py` installs one")
    origin, key = str(endpoints.gateway).rstrip("/"), endpoints.api_keys["admin"]
    run_id = open_question(origin, key, f"{endpoints.demo_site}/en/coffee")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page(
            viewport={"width": SIZE[0], "height": SIZE[1]}
        )
        sign_in(page, origin, key)
        page.goto(f"{origin}/#/inbox/{run_id}/variants")
        page.get_by_role("radio", name="Approve").first.check()
        page.wait_for_function(
            "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
        )
        page.evaluate("scrollTo(0, 0)")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            save(page.screenshot(), FOLDER / f"console-{theme}.webp")
    return 0


def open_question(origin: str, key: str, product_page: str) -> str:
    """Start a run and wait until it asks."""
    with Signalbox(origin, key) as client:
        run_id = client.start("ad_creative", {"url": product_page, "variants": 2}).run_id
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
    return run_id


def sign_in(page: Page, origin: str, key: str) -> None:
    page.goto(f"{origin}/")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()


def save(picture: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(picture)).convert("RGB").save(path, quality=QUALITY, method=6)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"{path.name} is larger than {MAX_BYTES:,} bytes; lower the quality")


if __name__ == "__main__":
    sys.exit(main())
