"""`signalbox-issuer --port N`: run the OpenID issuer for development; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import add_listen_options, serve
from signalbox_devstack.emulators.issuer.app import IssuerApp


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-issuer",
        description=(
            "An OpenID issuer for development. It issues a token to everyone, without authentication."
        ),
    )
    add_listen_options(parser)
    serve("signalbox-issuer", IssuerApp().app(), parser.parse_args())


if __name__ == "__main__":
    main()
