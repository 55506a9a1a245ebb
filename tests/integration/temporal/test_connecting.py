"""How services reach Temporal: TLS, mTLS and API keys, configured as for Temporal's own tools."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from temporalio.api.workflowservice.v1 import GetSystemInfoResponse

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.temporal import connect
from signalbox_core.temporal.client import connection_config


class Authority:
    """A certificate authority and what it signed, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._made = self._certificate("ca", self._key, is_ca=True)
        self.file = folder / "ca.pem"

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files of a server or client at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._certificate(name, key, is_ca=False)
        key_file = self._folder / f"{name}.key"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self._folder / f"{name}.pem", key_file

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if is_ca else self._made.subject
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        )
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        made = made.not_valid_after(now + timedelta(hours=1))
        made = made.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        made = made.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        signed = made.sign(self._key, SHA256())
        (self._folder / f"{name}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        return signed


class Front:
    """gRPC over TLS, as at Temporal Cloud. `seen` is the last call's metadata, `peer` the client's name."""

    def __init__(self) -> None:
        self.address = ""
        self.seen: dict[str, str | bytes] = {}
        self.peer: list[bytes] = []

    async def answer(self, _request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.seen = dict(context.invocation_metadata() or ())
        self.peer = list(context.auth_context().get("x509_common_name", ()))
        return GetSystemInfoResponse().SerializeToString()


@contextlib.asynccontextmanager
async def front(authority: Authority, *, asks_for_certificate: bool) -> AsyncIterator[Front]:
    certificate, key = authority.issue("server")
    pair = [(key.read_bytes(), certificate.read_bytes())]
    roots = authority.file.read_bytes() if asks_for_certificate else None
    made, server = Front(), grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "GetSystemInfo": grpc.unary_unary_rpc_method_handler(made.answer)
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("temporal.api.workflowservice.v1.WorkflowService", methods),)
    )
    credentials = grpc.ssl_server_credentials(pair, roots, require_client_auth=asks_for_certificate)
    made.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    await server.start()
    try:
        yield made
    finally:
        await server.stop(None)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


async def test_mtls_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    only_tls = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.file)}
    mutual = {"TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate), "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key)}
    async with front(authority, asks_for_certificate=True) as server:
        set_all(monkeypatch, {"TEMPORAL_ADDRESS": server.address, **only_tls})
        with pytest.raises(Unavailable):
            await connect()
        set_all(monkeypatch, mutual)
        await connect()
        assert server.peer == [b"client"]


async def test_mtls_by_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    async with front(authority, asks_for_certificate=True) as server:
        (tmp_path / "temporal.toml").write_text(
            f'[profile.cloud]\naddress = "{server.address}"\nnamespace = "prod.acme"\n'
            f'[profile.cloud.tls]\nserver_ca_cert_path = "{authority.file}"\n'
            f'client_cert_path = "{certificate}"\nclient_key_path = "{key}"\n'
        )
        set_all(
            monkeypatch,
            {"TEMPORAL_CONFIG_FILE": str(tmp_path / "temporal.toml"), "TEMPORAL_PROFILE": "cloud"},
        )
        client = await connect()
        assert (server.peer, client.namespace) == ([b"client"], "prod.acme")


async def test_an_api_key_is_sent_with_every_call_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    async with front(authority, asks_for_certificate=False) as server:
        set_all(
            monkeypatch,
            {"TEMPORAL_API_KEY": "cloud-key", "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.file)},
        )
        await connect(server.address, "prod.acme")
        assert server.seen["authorization"] == "Bearer cloud-key"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "TEMPORAL_ADDRESS"),
        ({"TEMPORAL_ADDRESS": "a:1", "TEMPORAL_TLS_CLIENT_CERT_PATH": "/none.pem"}, "none.pem"),
        ({"TEMPORAL_CONFIG_FILE": "/none.toml", "TEMPORAL_PROFILE": "x"}, "TEMPORAL_"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        connection_config(None, None, environ)


def test_a_file_is_read_only_when_the_environment_names_one() -> None:
    config = connection_config("a:1", None, {"HOME": "/nonexistent"})
    assert (config["target_host"], config["namespace"], "tls" in config) == ("a:1", "default", False)
