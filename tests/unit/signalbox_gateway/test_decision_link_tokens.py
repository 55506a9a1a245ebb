"""Tokens of decision links: what they are bound to, and that any change is refused."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from signalbox_core.errors import Conflict, InvalidInput
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys, load_link_keys
from signalbox_gateway.http.error_codes import Unauthenticated

NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
KEYS = LinkKeys((b"k" * 32,))
LINK = DecisionLink(
    tenant="acme",
    run_id="r1",
    approval_id="publish",
    digest="d" * 64,
    to="lan@acme.test",
    expires_at=NOW + timedelta(days=1),
    groups=("legal",),
)


def test_a_token_carries_its_link_and_fits_into_a_url() -> None:
    token = KEYS.sign(LINK)
    assert KEYS.verify(token, NOW) == LINK
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert (LINK.subject.subject, LINK.subject.kind) == ("mailto:lan@acme.test", "human")


def test_every_changed_character_of_a_token_is_refused() -> None:
    token = KEYS.sign(LINK)
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(Unauthenticated, match="not valid") as raised:
            KEYS.verify(changed, NOW)
        assert raised.value.stable_code == "link_invalid"


@pytest.mark.parametrize("token", ["", ".", "a.b", "ä.ö", "x" * 5_000])
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        KEYS.verify(token, NOW)


def test_a_key_is_rotated_and_a_foreign_key_is_refused() -> None:
    rotated = LinkKeys((b"n" * 32, *KEYS.keys))
    assert rotated.verify(KEYS.sign(LINK), NOW) == LINK
    with pytest.raises(Unauthenticated):
        KEYS.verify(rotated.sign(LINK), NOW)
    with pytest.raises(Unauthenticated):
        LinkKeys(()).verify(KEYS.sign(LINK), NOW)


def test_an_expired_link_is_refused_with_its_time() -> None:
    with pytest.raises(Conflict, match="expired at 2026-12-01 04:00 UTC") as raised:
        KEYS.verify(KEYS.sign(LINK), NOW + timedelta(days=1))
    assert raised.value.stable_code == "link_expired"


def test_links_of_one_recipient_and_question_share_a_decision_id() -> None:
    reminder = replace(LINK, expires_at=NOW + timedelta(days=2))
    assert reminder.decision_id == LINK.decision_id
    others = [
        replace(LINK, to="an@acme.test"),
        replace(LINK, digest="e" * 64),
        replace(LINK, tenant="other"),
        replace(LINK, run_id="r2"),
    ]
    assert LINK.decision_id not in {link.decision_id for link in others}


def test_weak_or_malformed_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{base64.b64encode(b'k' * 32).decode()}\n{base64.b64encode(b'n' * 33).decode()}\n")
    assert load_link_keys(path).keys == (b"k" * 32, b"n" * 33)
    for text in ("", "c2hvcnQ=", "no base64!"):
        path.write_text(text)
        with pytest.raises(InvalidInput, match="openssl rand -base64 32"):
            load_link_keys(path)
    with pytest.raises(InvalidInput, match="No such file"):
        load_link_keys(tmp_path / "nowhere")
