"""`signalbox-issuer --port N`: run the OpenID issuer for development; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.issuer.app import IssuerApp


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-issuer",
        description=(
            "An OpenID issuer for development. It issues a token to everyone, without authentication."
        ),
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    serve("signalbox-issuer", IssuerApp().app(), parser.parse_args().port)


if __name__ == "__main__":
    main()
