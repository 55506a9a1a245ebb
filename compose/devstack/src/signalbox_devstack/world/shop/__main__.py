"""`signalbox-shop --port N`: serve the demo shop on this machine; prints `listening 127.0.0.1:PORT` when it does."""

import argparse
import socket
import sys

import uvicorn

from signalbox_devstack.world.shop.app import create_app


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"listening {host}:{port}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="signalbox-shop", description="The demo shop: a small web site with products, and pages that go wrong."
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args()
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        sys.exit(f"signalbox-shop: port {options.port} cannot be used ({error}); give another with --port, or 0 for a free one")
    with listener:
        config = uvicorn.Config(create_app(), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        _Announcing(config).run([listener])


if __name__ == "__main__":
    main()
