"""`signalbox-shop --port N`: run the demo shop; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.shop.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-shop",
        description="Serve the demo shop: a small web site with products, and faulty pages for tests.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    options = parser.parse_args()
    serve("signalbox-shop", create_app(), options.port)


if __name__ == "__main__":
    main()
