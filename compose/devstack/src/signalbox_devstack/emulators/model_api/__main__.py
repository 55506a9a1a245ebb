"""`signalbox-model-api --port N`: serve the chat API on this machine; prints `listening 127.0.0.1:PORT` when it does."""

import argparse

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.model_api.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-model-api",
        description="A model server in small (OpenAI-compatible chat API); it is no language model.",
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument(
        "--pause-ms", type=float, default=5.0, metavar="MS", help="between two tokens of a stream (default 5)"
    )
    options = parser.parse_args()
    serve("signalbox-model-api", create_app(pause_s=options.pause_ms / 1_000), options.port)


if __name__ == "__main__":
    main()
