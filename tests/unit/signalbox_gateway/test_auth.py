"""Roles include each other as listed and grant nothing else; API keys are hot-reloaded from their file."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden, InvalidInput
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.issuers import Issuer, TokenIdentity, identity_of
from signalbox_gateway.auth.oidc import principal_of
from signalbox_gateway.auth.principal import Principal


def principal(*roles: Role) -> Principal:
    return Principal(
        key_id="k",
        name="lan",
        tenant="acme",
        subject=Subject(subject="key:k", name="lan"),
        roles=frozenset(roles),
    )


GRANTS = {
    Role.VIEWER: {Role.VIEWER},
    Role.OPERATOR: {Role.OPERATOR, Role.VIEWER},
    Role.APPROVER: {Role.APPROVER, Role.VIEWER},
    Role.ADMIN: {Role.ADMIN, Role.OPERATOR, Role.APPROVER, Role.VIEWER},
    Role.DEPLOYMENT_OPERATOR: {Role.DEPLOYMENT_OPERATOR},
}


@pytest.mark.parametrize("own", list(Role))
def test_a_role_grants_what_it_includes_and_nothing_else(own: Role) -> None:
    assert {role for role in Role if principal(own).has(role)} == GRANTS[own]


def test_without_a_role_everything_is_denied() -> None:
    assert not any(principal().has(role) for role in Role)


def test_a_refusal_names_the_required_role() -> None:
    with pytest.raises(Forbidden, match="requires the role approver; lan has: operator"):
        principal(Role.OPERATOR).require(Role.APPROVER)


def write(path: Path, *secrets: str) -> Path:
    keys = [
        {
            "id": secret,
            "sha256": hashlib.sha256(secret.encode()).hexdigest(),
            "tenant": "acme",
            "roles": ["viewer"],
            "name": secret,
        }
        for secret in secrets
    ]
    path.write_text(json.dumps({"keys": keys}))
    return path


def test_a_key_is_found_by_its_secret_and_by_its_id(tmp_path: Path) -> None:
    keys = ApiKeys(write(tmp_path / "keys.json", "sbx_a", "sbx_b"))

    assert keys.by_secret("sbx_b") == keys.by_id("sbx_b")
    assert keys.by_secret("sbx_c") is None
    assert keys.by_secret("") is None
    assert keys.by_id("sbx_c") is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    keys = ApiKeys(write(tmp_path / "keys.json", "sbx_a"))

    write(tmp_path / "keys.json", "sbx_b", "sbx_c")
    keys.reload()

    assert keys.by_secret("sbx_a") is None
    assert keys.by_secret("sbx_c") is not None


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", "sbx_a")
    keys = ApiKeys(path)
    before = path.stat()

    other = write(tmp_path / "other.json", "sbx_b")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    other.replace(path)
    keys.reload()

    assert keys.by_secret("sbx_b") is not None


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"keys": [{"id": 1}]}',
        '{"keys": [{"id":"a","sha256":"b","tenant":"c","roles":["king"],"name":"d"}]}',
    ],
)
def test_a_broken_file_leaves_the_last_good_keys(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "keys.json", "sbx_a")
    keys = ApiKeys(path)

    path.write_text(content)
    keys.reload()

    assert keys.by_secret("sbx_a") is not None
    assert "file not reloaded" in caplog.text
    assert vars(caplog.records[0])["content"] == "API keys"
    with pytest.raises(InvalidInput, match=r"keys\.json"):
        ApiKeys(path)


def test_a_file_that_is_gone_leaves_the_last_good_keys(tmp_path: Path) -> None:
    keys = ApiKeys(write(tmp_path / "keys.json", "sbx_a"))

    os.unlink(tmp_path / "keys.json")
    keys.reload()

    assert keys.by_secret("sbx_a") is not None


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", "sbx_a", "sbx_b", "sbx_c")
    file = json.loads(path.read_text())
    for key, year in zip(file["keys"], (2001, 2999, None), strict=True):
        key["expires_at"] = f"{year}-01-01T00:00:00Z" if year else None
    path.write_text(json.dumps(file))
    keys = ApiKeys(path)

    assert [keys.by_secret(secret) is not None for secret in ("sbx_a", "sbx_b", "sbx_c")] == [
        False,
        True,
        True,
    ]
    assert [keys.by_id(secret) is not None for secret in ("sbx_a", "sbx_b", "sbx_c")] == [False, True, True]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.json: .*No such file"):
        ApiKeys(tmp_path / "none.json")


def test_subjects_of_two_issuers_never_share_a_key_id() -> None:
    def key_id(issuer: str, subject: str) -> str:
        token = TokenIdentity(issuer=issuer, subject=subject, name="n", tenant="acme", roles=frozenset())
        return principal_of(token, datetime.now(UTC)).key_id

    assert key_id("https://id.test", "lan@acme.test") == "oidc:https://id.test:lan@acme.test"
    assert key_id("https://id.test", "8443:lan") != key_id("https://id.test:8443", "lan")
    assert key_id("https://id.test", "a%3Ab") != key_id("https://id.test", "a:b")


def test_a_token_never_grants_deployment_operator() -> None:
    issuer = Issuer(issuer="https://id.test", audience="signalbox", tenant="acme")
    claims = {"sub": "lan", "roles": ["admin", "deployment_operator"]}

    assert identity_of(claims, issuer).roles == {Role.ADMIN}
