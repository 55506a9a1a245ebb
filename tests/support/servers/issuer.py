"""The development issuer as a separate process."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2


class Issuer:
    """A running issuer. `origin` is its `iss` in tokens."""

    def __init__(self, endpoint: str) -> None:
        self.origin = f"http://{endpoint}"

    def token(self, **claims: object) -> str:
        """A token for the viewer lan of tenant acme. `claims` override the defaults; None removes a claim."""
        requested = {"sub": "lan", "tenant": "acme", "roles": ["viewer"], **claims}
        return str(
            httpx2.post(f"{self.origin}/token", json=requested, trust_env=False, timeout=60).json()[
                "access_token"
            ]
        )

    def rotate(self) -> None:
        httpx2.post(f"{self.origin}/rotate", trust_env=False, timeout=60).raise_for_status()

    def go(self, *, down: bool) -> None:
        httpx2.post(
            f"{self.origin}/down", json={"down": down}, trust_env=False, timeout=60
        ).raise_for_status()

    def fetches(self) -> dict[str, int]:
        return dict(httpx2.get(f"{self.origin}/stats", trust_env=False, timeout=60).json())

    def trusted(self, **members: object) -> dict[str, object]:
        """The issuer's entry for the gateway's issuers file."""
        record = {
            "issuer": self.origin,
            "audience": "signalbox",
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "tenant_claim": "tenant",
        }
        return {name: value for name, value in {**record, **members}.items() if value is not None}


@contextlib.contextmanager
def running_issuer() -> Iterator[Issuer]:
    command = [sys.executable, "-m", "signalbox_devstack.emulators.issuer", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening "), line
            yield Issuer(line.split()[1])
        finally:
            process.terminate()
            process.wait(10)


def write_issuers(path: Path, *records: dict[str, object]) -> Path:
    path.write_text(json.dumps({"issuers": records}))
    return path


def changed(token: str, *, head: dict[str, object] | None = None, **claims: object) -> str:
    """The token with other claims or another header but the old signature, as an attacker could forge it."""
    parts = token.split(".")
    for place, more in ((0, head or {}), (1, claims)):
        if more:
            members = (
                json.loads(base64.urlsafe_b64decode(parts[place] + "=" * (-len(parts[place]) % 4))) | more
            )
            parts[place] = base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")
    return ".".join(parts)
