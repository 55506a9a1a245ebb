"""`signalbox-model-api --port N`: run the simulated model server; prints `listening 127.0.0.1:PORT`."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.model_api.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-model-api",
        description="A simulated model server (OpenAI-compatible chat API). It is not a language model.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--pause-ms",
        type=float,
        default=5.0,
        metavar="MS",
        help="delay between two tokens of a stream (default 5)",
    )
    options = parser.parse_args()
    serve("signalbox-model-api", create_app(pause_s=options.pause_ms / 1_000), options.port)


if __name__ == "__main__":
    main()
