"""`signalbox-issuer --port N`: a small OpenID issuer for development; prints `listening 127.0.0.1:PORT` when it does."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.issuer.app import IssuerApp


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-issuer", description="An OpenID issuer in small, for development: it proves nobody."
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    serve("signalbox-issuer", IssuerApp().app(), parser.parse_args().port)


if __name__ == "__main__":
    main()
