"""nginx and HAProxy with the configurations of docs/reverse-proxy.md, in front of one gateway."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.servers.backends import free_port, is_listening

DOC = (Path(__file__).parents[3] / "docs" / "reverse-proxy.md").read_text()
PROXIES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}
PREFIX = "/signalbox"


def documented(file: str, doc: str = DOC) -> str:
    """The snippet of a page that is marked with its file name."""
    found = re.search(rf"<!-- file: {re.escape(file)} -->\n```\w+\n(.*?)```", doc, re.DOTALL)
    assert found is not None, file
    return found[1]


@contextmanager
def proxy(name: str, gateway: str, folder: Path) -> Iterator[str]:
    """Run a proxy in front of the gateway at an origin; yields the proxy's origin.

    Without the program the test is skipped, and fails where CI is set.
    """
    if shutil.which(name) is None:
        reason = f"no {name} on PATH; `python tools/programs.py` installs it where it may"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    certificate = _write_certificate(folder / "certificate.pem")
    text = documented(PROXIES[name]).replace("127.0.0.1:8080", urlsplit(gateway).netloc)
    text = text.replace("/etc/ssl/signalbox.pem", str(certificate))
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "bind :443", f"bind 127.0.0.1:{port}"
    )
    config = folder / PROXIES[name]
    config.write_text(text)
    with (folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(_command(name, config, folder), stdout=log, stderr=log)
    try:
        _wait_until_listening(port, folder / f"{name}.log")
        yield f"https://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(60)


def _wait_until_listening(port: int, log: Path) -> None:
    """Not a coroutine, because Playwright's tests already run an event loop."""
    deadline = time.monotonic() + 60
    while not is_listening(port):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def _command(name: str, config: Path, folder: Path) -> list[str]:
    if name == "haproxy":
        return ["haproxy", "-db", "-f", str(config)]
    own = f"daemon off; master_process off; pid {folder}/nginx.pid;"
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(config), "-g", own]


def _write_certificate(path: Path) -> Path:
    """A self-signed certificate with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + private)
    return path
