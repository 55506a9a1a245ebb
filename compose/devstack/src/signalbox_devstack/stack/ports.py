"""Chooses the port of every part: a default or a free one. A part keeps its port when it is restarted."""

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
# Below the ephemeral range of Linux, so that no outgoing connection takes a free port before it is bound.
_FREE_RANGE: Final = range(20_000, 32_000)
_HOST: Final = "127.0.0.1"


def parse_ports(text: str) -> Mapping[str, int]:
    """Parse `auto`, `default`, or either with overrides (`auto,gateway=9000`); port 0 means a free one.

    Raises:
        InvalidInput: an unknown name or an invalid port number.
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
                f"--ports: {word!r} is not auto, default or NAME=PORT; the names are: {known}",
                field="--ports",
            )
        ports[name] = int(number)
    return ports


def assign_ports(ports: Mapping[str, int]) -> Mapping[str, int]:
    """Replace every 0 with a free port."""
    taken = {port for port in ports.values() if port}
    assigned = {}
    for name, port in ports.items():
        assigned[name] = port or _find_free(taken)
        taken.add(assigned[name])
    return assigned


def check_free(ports: Mapping[str, int]) -> None:
    """Raises: InvalidInput when a port is in use by another program."""
    for name, port in ports.items():
        if not is_free(port):
            raise InvalidInput(
                f"port {port} for {name} is in use: stop the program that uses it, "
                f"or pass --ports auto or --ports {name}=0",
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


def _find_free(taken: set[int]) -> int:
    for _ in range(200):
        port = random.choice(_FREE_RANGE)
        if port not in taken and is_free(port):
            return port
    raise InvalidInput(
        "found no free port between 20000 and 32000 on 127.0.0.1: stop some programs", field="--ports"
    )
