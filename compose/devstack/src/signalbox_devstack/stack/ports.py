"""Ports: the fixed ones people remember, or free ones; chosen once, so a part keeps its port when it is restarted."""

import random
import socket
from collections.abc import Mapping
from typing import Final

from signalbox_core.errors import InvalidInput

DEFAULTS: Final[Mapping[str, int]] = {
    "gateway": 8080,
    "receiver": 8081,
    "autoscaler": 8083,
    "pubsub": 8085,
    "demo_site": 8090,
    "portal": 8091,
    "model_api": 8092,
    "worker": 8100,
    "redis": 6379,
    "temporal": 7233,
    "temporal_ui": 8233,
}
# Below the range from which Linux takes ports for outgoing connections: a free one there stays free until it is bound.
_FREE_RANGE: Final = range(20_000, 32_000)
_HOST: Final = "127.0.0.1"


def read_ports(text: str) -> Mapping[str, int]:
    """`auto`, `default`, or either with exceptions (`auto,gateway=9000`); 0 means: a free one.

    Raises:
        InvalidInput: an unknown name or a number that is no port.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    ports = dict.fromkeys(DEFAULTS, 0) if "auto" in words else dict(DEFAULTS)
    for word in words:
        if word in ("auto", "default"):
            continue
        name, _, number = word.partition("=")
        if name not in DEFAULTS or not number.isdecimal() or int(number) > 65_535:
            known = ", ".join(DEFAULTS)
            raise InvalidInput(
                f"--ports: {word!r} is not auto, default or NAME=PORT; names are: {known}", field="--ports"
            )
        ports[name] = int(number)
    return ports


def settle(ports: Mapping[str, int]) -> Mapping[str, int]:
    """Replace every 0 by a free port."""
    taken = {port for port in ports.values() if port}
    settled = {}
    for name, port in ports.items():
        settled[name] = port or _free(taken)
        taken.add(settled[name])
    return settled


def check_free(ports: Mapping[str, int]) -> None:
    """Raises: InvalidInput naming the first port that another program holds."""
    for name, port in ports.items():
        if not is_free(port):
            raise InvalidInput(
                f"port {port} for {name} is in use: end what holds it, or use --ports auto or --ports {name}=0",
                field=name,
            )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free(taken: set[int]) -> int:
    for _ in range(200):
        port = random.choice(_FREE_RANGE)
        if port not in taken and is_free(port):
            return port
    raise InvalidInput(
        "found no free port between 20000 and 32000 on 127.0.0.1: end some programs", field="--ports"
    )
