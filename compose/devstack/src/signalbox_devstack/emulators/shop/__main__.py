"""`signalbox-shop --port N`: run the demo shop; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import add_listen_options, serve
from signalbox_devstack.emulators.shop.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-shop",
        description="Serve the demo shop: a small web site with products, and faulty pages for tests.",
    )
    add_listen_options(parser)
    options = parser.parse_args()
    serve("signalbox-shop", create_app(), options)


if __name__ == "__main__":
    main()
