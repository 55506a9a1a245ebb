"""`signalbox-model-api --port N`: serve the chat API on this machine; prints `listening 127.0.0.1:PORT` when it does."""

import argparse
import socket
import sys

import uvicorn

from signalbox_devstack.world.model_api.app import create_app


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"listening {host}:{port}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-model-api", description="A model server in small (OpenAI-compatible chat API); it is no language model."
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--pause-ms", type=float, default=5.0, metavar="MS", help="between two tokens of a stream (default 5)")
    options = parser.parse_args()
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        sys.exit(f"signalbox-model-api: port {options.port} cannot be used ({error}); give another with --port, or 0 for a free one")
    with listener:
        config = uvicorn.Config(
            create_app(pause_s=options.pause_ms / 1_000), log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
        _Announcing(config).run([listener])


if __name__ == "__main__":
    main()
