"""Key records and files: weak, mistyped, private or duplicate keys are refused; permissions are patterns."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import (
    Algorithm,
    KeyRecord,
    KeySet,
    Signer,
    load_key,
    load_key_set,
    parse_origin,
    read_key_file,
    target_uri,
    write_key_file,
)
from support.drivers.signed_requests import (
    new_private_key,
    private_pem,
    public_pem,
    signer_and_key,
    write_private_key,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ED25519 = new_private_key(Algorithm.ED25519)


def record(**changes: Any) -> KeyRecord:
    fields = {
        "keyid": "key-1",
        "alg": Algorithm.ED25519,
        "sender": "worker",
        "tenant": "*",
        "public_pem": public_pem(ED25519),
    }
    return KeyRecord(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        pytest.param({"public_pem": None}, "public_pem", "needs public_pem", id="no-key"),
        pytest.param({"public_pem": "nonsense"}, "public_pem", "not a public key", id="not-a-pem"),
        pytest.param(
            {"public_pem": private_pem(ED25519).decode()}, "public_pem", "private key", id="private"
        ),
        pytest.param({"alg": Algorithm.ECDSA_P256}, "public_pem", "not a key for ecdsa", id="another-type"),
        pytest.param(
            {"alg": Algorithm.ECDSA_P256, "public_pem": public_pem(ec.generate_private_key(ec.SECP384R1()))},
            "public_pem",
            "not a key for ecdsa",
            id="another-curve",
        ),
        pytest.param(
            {"alg": Algorithm.RSA_PSS, "public_pem": public_pem(rsa.generate_private_key(65537, 1024))},
            "public_pem",
            "1024 bits",
            id="short-rsa",
        ),
        pytest.param({"alg": Algorithm.HMAC}, "secret_file", "needs secret_file", id="hmac-with-a-pem"),
        pytest.param(
            {"alg": Algorithm.HMAC, "public_pem": None, "secret_file": "empty"},
            "secret_file",
            "0 bytes",
            id="empty-secret",
        ),
        pytest.param(
            {"alg": Algorithm.HMAC, "public_pem": None, "secret_file": "short"},
            "secret_file",
            "31 bytes",
            id="short-secret",
        ),
        pytest.param(
            {"alg": Algorithm.HMAC, "public_pem": None, "secret_file": "pem"},
            "secret_file",
            "a PEM",
            id="pem-as-secret",
        ),
        pytest.param({"keyid": ""}, "keyid", "1 to 128", id="empty-keyid"),
        pytest.param({"sender": "a\nb"}, "sender", "1 to 128", id="control-character"),
        pytest.param(
            {"not_after": datetime(2030, 1, 1)},  # noqa: DTZ001
            "not_after",
            "time zone",
            id="naive-time",
        ),
    ],
)
def test_a_key_that_must_not_verify_is_refused_at_load(
    changes: dict[str, Any], field: str, says: str
) -> None:
    secrets = {"empty": b"", "short": b"s" * 31, "pem": public_pem(ED25519).encode()}
    with pytest.raises(InvalidInput, match=says) as caught:
        load_key(record(**changes), secrets.__getitem__)
    assert caught.value.field == field


def test_a_keyid_that_is_there_twice_is_refused() -> None:
    _, key = signer_and_key()
    with pytest.raises(InvalidInput, match="twice"):
        KeySet([key, key])


@pytest.mark.parametrize(
    ("changes", "usable"),
    [
        ({}, True),
        ({"state": "revoked"}, False),
        ({"not_before": NOW}, True),
        ({"not_before": NOW + timedelta(seconds=1)}, False),
        ({"not_after": NOW}, False),
        ({"not_after": NOW + timedelta(seconds=1)}, True),
    ],
)
def test_a_key_counts_from_not_before_to_not_after_unless_revoked(
    changes: dict[str, Any], usable: bool
) -> None:
    assert record(**changes).is_usable(NOW) is usable


def test_permissions_are_patterns_and_a_tenant() -> None:
    key = record(tenant="acme", events=("run.*", "invoice.imported"), sources=("/billing/*",))
    assert key.permits_tenant("acme")
    assert not key.permits_tenant("other")
    assert key.permits_event("run.started")
    assert key.permits_event("invoice.imported")
    assert not key.permits_event("step.started")
    assert key.permits_source("/billing/eu")
    assert not key.permits_source("/signalbox/worker")


def test_a_key_file_is_read_back_as_written(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 32 + b"\n")
    records = (
        record(not_after=NOW),
        record(keyid="key-2", alg=Algorithm.HMAC, public_pem=None, secret_file="secret"),
    )
    write_key_file(tmp_path / "keys.json", records)
    assert read_key_file(tmp_path / "keys.json").keys == records
    assert len(load_key_set(records, tmp_path)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json", "secret"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "not a key file"),
        ('{"keys": [{"keyid": "a"}]}', "missing required field"),
        ('{"keys": [], "more": 1}', "unknown field"),
        ('{"keys": [{"keyid":"a","alg":"none","sender":"s","tenant":"t"}]}', "alg"),
    ],
)
def test_a_broken_key_file_is_named(tmp_path: Path, body: str, says: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(body)
    with pytest.raises(InvalidInput, match=says) as caught:
        read_key_file(path)
    assert str(path) in caught.value.detail


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*keys\.json"):
        read_key_file(tmp_path / "keys.json")


@pytest.mark.parametrize(
    "algorithm", [algorithm for algorithm in Algorithm if algorithm is not Algorithm.HMAC]
)
def test_the_algorithm_of_a_signer_follows_from_its_key_file(tmp_path: Path, algorithm: Algorithm) -> None:
    path = write_private_key(tmp_path / "key.pem", new_private_key(algorithm))
    assert Signer.from_file("key-1", path).algorithm is algorithm


def test_a_signer_accepts_a_long_secret_for_hmac(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 32)
    assert Signer.from_file("key-1", tmp_path / "secret").algorithm is Algorithm.HMAC


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "neither"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key"),
        (private_pem(ec.generate_private_key(ec.SECP384R1())), "Ed25519, P-256 or RSA"),
        (private_pem(rsa.generate_private_key(65537, 1024)), "2048 bits"),
        (None, "cannot read"),
    ],
)
def test_a_signer_refuses_an_unusable_key_file(tmp_path: Path, body: bytes | None, says: str) -> None:
    path = tmp_path / "key"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(InvalidInput, match=says):
        Signer.from_file("key-1", path)


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("https://Example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:80", "http://example.com/"),
        ("http://127.0.0.1:8081/v1/%65vents", "http://127.0.0.1:8081/v1/%65vents"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
    ],
)
def test_the_target_uri_has_one_spelling(url: str, uri: str) -> None:
    assert target_uri(url) == uri


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://u:p@example.com",
        "https://example.com:99999",
        "http://é/",
    ],
)
def test_a_url_that_cannot_be_signed_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="absolute http or https URL"):
        target_uri(url)


def test_an_origin_has_no_path() -> None:
    assert parse_origin("https://Events.example.com/", field="origin") == "https://events.example.com"
    with pytest.raises(InvalidInput, match="without a path"):
        parse_origin("https://events.example.com/v1", field="origin")


def test_a_new_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write_key_file(tmp_path / "keys.json", ())
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_key_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    write_key_file(tmp_path / "keys.json", ())
    (tmp_path / "keys.json").chmod(mode)
    write_key_file(tmp_path / "keys.json", ())
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == mode
