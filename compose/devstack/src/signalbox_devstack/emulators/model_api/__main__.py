"""`signalbox-model-api --port N`: run the simulated model server; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import add_listen_options, serve
from signalbox_devstack.emulators.model_api.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-model-api",
        description="A simulated model server (OpenAI-compatible chat API). It is not a language model.",
    )
    add_listen_options(parser)
    parser.add_argument(
        "--pause-ms",
        type=float,
        default=5.0,
        metavar="MS",
        help="delay between two tokens of a stream (default 5)",
    )
    options = parser.parse_args()
    serve("signalbox-model-api", create_app(pause_s=options.pause_ms / 1_000), options)


if __name__ == "__main__":
    main()
