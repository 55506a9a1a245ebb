"""`signalbox-shop --port N`: serve the demo shop on this machine; prints `listening 127.0.0.1:PORT` when it does."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.shop.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-shop",
        description="The demo shop: a small web site with products, and pages that go wrong.",
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args()
    serve("signalbox-shop", create_app(), options.port)


if __name__ == "__main__":
    main()
