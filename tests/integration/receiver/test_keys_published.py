"""Keys at an https address: valid addresses and responses, and when a new or withdrawn key takes effect."""

import asyncio
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.events import encode_event
from signalbox_core.http.cached_document import FRESH_FOR_S, RETRY_AFTER_S, STALE_FOR_S, open_key_client
from signalbox_core.ids import new_run_id
from signalbox_core.signatures import Algorithm, JwksSource, Signer, read_jwks, write_key_file
from signalbox_webhook_receiver.remote_keys import PublishedKeys, fetch_keys
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE, PrivateKey, new_private_key
from support.fakes.events import story
from support.servers.live_receiver import live_receiver, make_topics

PATH = "/.well-known/http-message-signatures-directory"
DIRECTORY = b"application/http-message-signatures-directory+json"
SOURCE = JwksSource(url="https://keys.example.com/jwks", sender="billing", tenant="acme")


def text(number: bytes) -> str:
    return urlsafe_b64encode(number).decode().rstrip("=")


def jwk(kid: str, private: PrivateKey, **more: Any) -> dict[str, Any]:
    match public := private.public_key():
        case ed25519.Ed25519PublicKey():
            members: dict[str, Any] = {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": text(public.public_bytes_raw()),
            }
        case ec.EllipticCurvePublicKey():
            numbers = public.public_numbers()
            members = {
                "kty": "EC",
                "crv": "P-256",
                "x": text(numbers.x.to_bytes(32, "big")),
                "y": text(numbers.y.to_bytes(32, "big")),
            }
        case rsa.RSAPublicKey():
            n = public.public_numbers().n
            members = {"kty": "RSA", "n": text(n.to_bytes((n.bit_length() + 7) // 8, "big")), "e": "AQAB"}
    return {"kid": kid, **members, **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"keys": keys})


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ECDSA_P256, Algorithm.RSA_PSS])
def test_a_published_key_verifies_for_its_sender_only_what_the_source_allows(algorithm: Algorithm) -> None:
    private = new_private_key(algorithm)
    key = read_jwks(jwks(jwk("k", private)), SOURCE).get("k")
    assert key is not None
    assert (key.record.alg, key.record.sender, key.record.tenant) == (algorithm, "billing", "acme")
    key.verifier.verify(signature=Signer("k", algorithm, private).sign_base(b"base"), message=b"base")


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"alg": "ES384"},
        {"kid": 7},
        {"kid": ""},
        {"crv": "Ed448"},
        {"kty": "oct"},
    ],
)
def test_a_key_for_something_else_is_left_out(more: dict[str, Any]) -> None:
    good = jwk("good", new_private_key(Algorithm.ED25519))
    keys = read_jwks(jwks(good, jwk("other", new_private_key(Algorithm.ED25519)) | more), SOURCE)
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "not a JWK Set"),
        (b"[]", "not a JWK Set"),
        (b'{"keys":[]}', "no Ed25519"),
        (jwks(*[{"kid": "x"}] * 101), "more than 100"),
        (jwks(jwk("k", new_private_key(Algorithm.ED25519), d="AAAA")), "private key"),
        (jwks({"kty": "oct", "kid": "k", "k": "AAAA"}), "private key"),
        (jwks(jwk("k", new_private_key(Algorithm.ED25519), x="AAAA")), "malformed"),
        (jwks(jwk("k", rsa.generate_private_key(65537, 1024))), "1024 bits"),
        (jwks(*[jwk("k", new_private_key(Algorithm.ED25519))] * 2), "twice"),
    ],
)
def test_a_bad_set_is_not_taken_over(body: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_jwks(body, SOURCE)


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.example.com/jwks",
        "https://",
        "https://user@host/jwks",
        "file:///etc/passwd",
        "https://host/#x",
    ],
)
def test_only_https_addresses_are_configured(url: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match="https"):
        JwksSource(url=url, sender="s", tenant="*")
    assert not list(tmp_path.iterdir())


async def test_keys_are_cached_kept_while_the_address_is_unavailable_and_forgotten_after_a_day() -> None:
    private = new_private_key(Algorithm.ED25519)
    pages, asked, clock = {SOURCE.url: jwks(jwk("k", private))}, [], [0.0]

    async def fetch(url: str) -> bytes:
        asked.append(url)
        if url not in pages:
            raise Unavailable("away")
        return pages[url]

    keys = PublishedKeys(SOURCE, fetch, on_failure=lambda: None, clock=lambda: clock[0])
    assert keys.is_cold
    for _ in range(3):
        await keys.refresh()
    assert (len(asked), keys.get("k") is not None) == (1, True)
    pages.clear()
    for passed, expected in ((FRESH_FOR_S, 2), (RETRY_AFTER_S - 1, 2), (1, 3)):
        clock[0] += passed
        await keys.refresh()
        assert len(asked) == expected
    assert keys.get("k") is not None
    clock[0] += STALE_FOR_S
    await keys.refresh()
    assert keys.is_cold


@asynccontextmanager
async def address(folder: Path, answers: dict[str, bytes]) -> AsyncIterator[str]:
    """An https server on loopback; `ca.pem` in the folder is its authority.

    `answers`: whole responses by path.
    """
    certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "ca.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(
            answers.get(
                head.split(b" ")[1].decode(),
                b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            )
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
    )
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    (folder / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "ca.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def page(
    body: bytes, *, status: bytes = b"200 OK", media_type: bytes = DIRECTORY, more: bytes = b""
) -> bytes:
    length = str(len(body)).encode()
    return (
        b"HTTP/1.1 "
        + status
        + b"\r\nContent-Type: "
        + media_type
        + b"\r\nContent-Length: "
        + length
        + b"\r\n"
        + more
        + b"Connection: close\r\n\r\n"
        + body
    )


async def test_what_is_no_plain_answer_is_not_taken(tmp_path: Path) -> None:
    good = jwks(jwk("k", new_private_key(Algorithm.ED25519)))
    answers = {
        "/good": page(good),
        "/redirect": page(b"", status=b"302 Found", more=b"Location: /good\r\n"),
        "/html": page(good, media_type=b"text/html"),
        "/large": page(good + b" " * 64 * 1024),
        "/gzip": page(good, more=b"Content-Encoding: gzip\r\n"),
        "/error": page(good, status=b"500 No"),
    }
    async with (
        address(tmp_path, answers) as origin,
        open_key_client(str(tmp_path / "ca.pem"), "CA_FILE") as client,
        open_key_client(None, "CA_FILE") as stranger,
    ):
        assert await fetch_keys(client, f"{origin}/good") == good
        for path in ("/redirect", "/html", "/large", "/gzip", "/error", "/nowhere"):
            with pytest.raises(Unavailable):
                await fetch_keys(client, origin + path)
        with pytest.raises(Unavailable, match="ConnectError"):
            await fetch_keys(stranger, f"{origin}/good")


def test_a_missing_authority_file_is_named() -> None:
    with pytest.raises(InvalidInput, match="JWKS_CA_FILE"):
        open_key_client("/nowhere/ca.pem", "JWKS_CA_FILE")


async def test_a_key_of_a_directory_delivers_and_is_revoked_by_the_operator(
    redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    project, private = new_run_id("echo"), new_private_key(Algorithm.ED25519)
    await make_topics(pubsub_host, project)
    signer = Signer("pub-1", Algorithm.ED25519, private)
    async with address(tmp_path, {PATH: page(jwks(jwk("pub-1", private)))}) as origin:
        source = JwksSource(url=origin + PATH, sender="billing", tenant="acme", events=("run.*",))
        write_key_file(tmp_path / "keys.json", [], [source])
        around = {
            "keys": tmp_path / "keys.json",
            "signer": signer,
            "redis_url": redis_url,
            "pubsub_host": pubsub_host,
            "project": project,
        }
        async with live_receiver(**around, jwks_ca_file=str(tmp_path / "ca.pem")) as receiver:
            body, step = (encode_event(event) for event in story(project)[:2])
            assert (await receiver.post(body, ONE)).status_code == 202
            assert (await receiver.post(step, ONE)).json()["code"] == "event_type_forbidden"
            write_key_file(tmp_path / "keys.json", [], [msgspec.structs.replace(source, revoked=("pub-1",))])

            async def is_refused() -> bool:
                return (await receiver.post(body, ONE)).status_code == 401

            await eventually(is_refused)
