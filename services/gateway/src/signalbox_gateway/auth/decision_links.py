"""Signed links by which a person without an account decides one question, as one recipient."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core import base64url
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_core.ids import derived_id
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.subjects import LINK_PREFIX, Subject
from signalbox_gateway.http.error_codes import Unauthenticated

_PURPOSE: Final = b"signalbox decision link v1\n"
_FINGERPRINT: Final = b"signalbox decision link key"
_MIN_KEY_BYTES: Final = 32
_MAX_TOKEN_CHARS: Final = 4_000
_CHECK_EVERY_S: Final = 1.0


class DecisionLink(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a link is bound to.

    Attributes:
        digest: of the question as it was when the link was made.
        to: the mail address of the recipient.
        groups: of the recipient, for the policy of the question.
    """

    tenant: str
    run_id: str
    approval_id: str
    digest: str
    to: str
    expires_at: datetime
    groups: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        return Subject(subject=f"{LINK_PREFIX}{self.to}", name=self.to, groups=self.groups)

    @property
    def decision_id(self) -> str:
        """The same for every link of this recipient and question, so that all of them decide at most once."""
        return derived_id("link", self.tenant, self.run_id, self.approval_id, self.digest, self.to)


class LinkKeys(Struct, frozen=True):
    """The keys of links: the first one signs, each of them verifies."""

    keys: tuple[bytes, ...]

    def fingerprints(self) -> tuple[str, ...]:
        """A name for each key, which does not reveal it."""
        return tuple(hmac.digest(key, _FINGERPRINT, hashlib.sha256).hex()[:16] for key in self.keys)

    def sign(self, link: DecisionLink) -> str:
        """Make the token of a link; it needs no escaping in a URL."""
        content = base64url.encode(msgspec.json.encode(link))
        return f"{content}.{base64url.encode(_mac(self.keys[0], content))}"

    def verify(self, token: str, now: datetime) -> DecisionLink:
        """Read a token.

        Raises:
            Unauthenticated: `link_invalid`: no key of this deployment has signed it, or it was changed.
            Conflict: `link_expired`.
        """
        content, _, signature = token.partition(".")
        is_readable = token.isascii() and len(token) <= _MAX_TOKEN_CHARS
        if not is_readable or not _is_signed(self.keys, content, signature):
            raise Unauthenticated(
                "this link is not valid; open it exactly as it was sent to you", code="link_invalid"
            )
        link = msgspec.json.decode(base64url.decode(content), type=DecisionLink)
        if now >= link.expires_at:
            raise Conflict(
                f"this link expired at {link.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC; "
                "ask the sender how to decide the question",
                code="link_expired",
            )
        return link


def follow_link_keys(path: str | None) -> FollowedFile[LinkKeys] | None:
    """Open the file of link keys, which is hot-reloaded; None without one.

    Raises:
        InvalidInput: the file cannot be used.
    """
    if path is None:
        return None
    return FollowedFile(Path(path), load_link_keys, content="link keys", check_every_s=_CHECK_EVERY_S)


def load_link_keys(path: Path) -> LinkKeys:
    """Read keys, one a line: the base64 of at least 32 random bytes.

    Raises:
        InvalidInput: the file cannot be read, or a line is malformed or too short.
    """
    field = "SIGNALBOX_GATEWAY_LINK_KEYS_FILE"
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in path.read_text().split())
    except OSError as error:
        raise InvalidInput(f"cannot read the link keys {path}: {error.strerror}", field=field) from None
    except (binascii.Error, UnicodeDecodeError):
        keys = ()
    if not keys or any(len(key) < _MIN_KEY_BYTES for key in keys):
        raise InvalidInput(
            f"{path}: each line must be the base64 of {_MIN_KEY_BYTES} random bytes or more, as "
            f"`openssl rand -base64 {_MIN_KEY_BYTES}` prints",
            field=field,
        )
    return LinkKeys(keys)


def _is_signed(keys: Sequence[bytes], content: str, signature: str) -> bool:
    return any(hmac.compare_digest(base64url.encode(_mac(key, content)), signature) for key in keys)


def _mac(key: bytes, content: str) -> bytes:
    return hmac.digest(key, _PURPOSE + content.encode(), hashlib.sha256)
