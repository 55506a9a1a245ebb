"""The issuers file: invalid ones are refused at the start. Claims are found by name or path."""

import json
from pathlib import Path
from typing import Any

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_gateway.auth.issuers import (
    Issuer,
    TokenRefused,
    find_claim,
    identity_of,
    is_trusted_address,
    keys_of,
    read_issuers,
)

GOOD: dict[str, Any] = {"issuer": "https://id.example.com", "audience": "signalbox", "tenant": "acme"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"issuer": "http://id.example.com"}, "must be an https address"),
        ({"issuer": "https://user@id.example.com"}, "must be an https address"),
        ({"jwks_url": "ftp://id.example.com"}, "must be an https address"),
        ({"algorithms": ["HS256"]}, "Invalid enum value 'HS256'"),
        ({"algorithms": ["none"]}, "Invalid enum value 'none'"),
        ({"algorithms": []}, "length >= 1"),
        ({"tenant_claim": "org"}, "either tenant or tenant_claim"),
        ({"tenant": "a b"}, "must be letters"),
        ({"audience": ""}, "length >= 1"),
        ({"roles": {"x": ["king"]}}, "Invalid enum value 'king'"),
        ({"roles": {"x": ["deployment_operator"]}}, "only an API key can have the role"),
        ({"kind": "robot"}, "Invalid enum value 'robot'"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_an_invalid_issuer_stops_the_start(tmp_path: Path, change: dict[str, object], message: str) -> None:
    (tmp_path / "issuers.json").write_text(json.dumps({"issuers": [{**GOOD, **change}]}))
    with pytest.raises(InvalidInput, match=message):
        read_issuers(tmp_path / "issuers.json")


def test_a_duplicate_issuer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "issuers.json").write_text(json.dumps({"issuers": [GOOD, GOOD]}))
    with pytest.raises(InvalidInput, match="twice"):
        read_issuers(tmp_path / "issuers.json")


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://id.example.com/realms/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:1/x", True),
        ("http://127.0.0.1.evil.test", False),
        ("http://localhost@evil.test", False),
        ("https://", False),
        ("https://a/?x", False),
    ],
)
def test_keys_are_fetched_over_https_or_from_this_machine(url: str, trusted: bool) -> None:
    assert is_trusted_address(url) is trusted


def test_a_claim_is_found_by_name_and_by_path() -> None:
    claims = {"https://example.com/roles": ["a"], "realm_access": {"roles": ["b"]}, "x": "y"}
    assert find_claim(claims, "https://example.com/roles") == ["a"]
    assert find_claim(claims, "realm_access.roles") == ["b"]
    assert [find_claim(claims, name) for name in ("x.y", "nope", "realm_access.nope", "")] == [None] * 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "not a JWK Set"),
        (b'{"keys": []}', "no signing key"),
        (b'{"keys": [{"kid": "a", "use": "enc"}]}', "no signing key"),
        (b'{"keys": [{"kid": "a", "kty": "oct", "k": "AAAA"}]}', "private key or a secret"),
        (b'{"keys": [{"kid": "a", "kty": "EC"}, {"kid": "a", "kty": "RSA"}]}', "two keys"),
    ],
)
def test_an_invalid_jwk_set_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        keys_of(body, "https://id.example.com/keys")


@pytest.mark.parametrize(
    ("settings", "claims", "kind", "groups"),
    [
        pytest.param({}, {"groups": ["a"], "kind": "agent"}, "human", (), id="by default"),
        pytest.param({"groups_claim": "groups"}, {"groups": ["a", "b", "a"]}, "human", ("a", "b"), id="list"),
        pytest.param({"groups_claim": "groups"}, {"groups": "all staff"}, "human", ("all staff",), id="text"),
        pytest.param(
            {"groups_claim": "realm.groups"}, {"realm": {"groups": ["a"]}}, "human", ("a",), id="path"
        ),
        pytest.param({"groups_claim": "groups"}, {}, "human", (), id="no groups"),
        pytest.param({"kind": "service"}, {}, "service", (), id="kind of all"),
        pytest.param({"kind_claim": "actor"}, {"actor": "agent"}, "agent", (), id="kind by claim"),
        pytest.param({"kind": "agent", "kind_claim": "actor"}, {}, "agent", (), id="kind without the claim"),
    ],
)
def test_a_token_has_a_kind_and_groups(
    settings: dict[str, Any], claims: dict[str, object], kind: str, groups: tuple[str, ...]
) -> None:
    identity = identity_of({"sub": "lan", **claims}, Issuer(**GOOD, **settings))
    assert (identity.kind, identity.groups) == (kind, groups)


@pytest.mark.parametrize(
    ("settings", "claims"),
    [
        pytest.param({"kind_claim": "actor"}, {"actor": "robot"}, id="unknown kind"),
        pytest.param({"kind_claim": "actor"}, {"actor": ["agent"]}, id="kind that is a list"),
        pytest.param({"groups_claim": "groups"}, {"groups": [1]}, id="group that is a number"),
        pytest.param({"groups_claim": "groups"}, {"groups": {"a": 1}}, id="groups that are an object"),
        pytest.param({"groups_claim": "groups"}, {"groups": ["a\nb"]}, id="control character"),
        pytest.param({"groups_claim": "groups"}, {"groups": [str(n) for n in range(101)]}, id="too many"),
    ],
)
def test_a_malformed_kind_or_group_is_refused(settings: dict[str, Any], claims: dict[str, object]) -> None:
    with pytest.raises(TokenRefused):
        identity_of({"sub": "lan", **claims}, Issuer(**GOOD, **settings))
