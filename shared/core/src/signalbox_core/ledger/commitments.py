"""Salted digests of values: the ledger holds the digests, the object store the values and their salt.

Each value has a salt of its own, so one value can be disclosed without making another guessable. Once the
stored salt is deleted, a digest reveals nothing and matches nothing.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.canonical_json import canonical_json

SALT_BYTES: Final = 16


class StoredValues(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The erasable part of an entry: the data of its event, and the salt of its digests.

    Attributes:
        salt: base64; None once the values were erased.
    """

    salt: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class DisclosedValue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value of a receipt, with the salt of its digest. A large value is left out; its salt is not."""

    salt: str
    value: msgspec.Raw | UnsetType = UNSET


ERASED: Final = StoredValues()


def new_values(data: bytes) -> StoredValues:
    """The values of a new entry, with a random salt."""
    return StoredValues(salt=_text(secrets.token_bytes(SALT_BYTES)), data=msgspec.Raw(data))


def digest_value(value: object, field_salt: str) -> str:
    """HMAC-SHA-256 of the canonical JSON under the salt of the field; base64.

    Of JSON that has no canonical form, because a number is out of range for example, that of the text.
    """
    try:
        body = canonical_json(value)
    except (msgspec.DecodeError, RecursionError):
        if not isinstance(value, msgspec.Raw):
            raise
        body = bytes(value)
    return _text(hmac.digest(b64decode(field_salt), body, hashlib.sha256))


def salt_of(values: StoredValues, field: str) -> str:
    """The salt of one field, base64.

    Raises:
        ValueError: the values were erased.
    """
    if values.salt is None:
        raise ValueError("the values were erased")
    return _text(hmac.digest(b64decode(values.salt), field.encode(), hashlib.sha256)[:SALT_BYTES])


def digest_fields(values: StoredValues, fields: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """The digest of each field."""
    return {name: digest_value(value, salt_of(values, name)) for name, value in fields.items()}


def matches(disclosed: DisclosedValue, digest: str) -> bool:
    """Whether a disclosed value is the one that was digested; without a value there is nothing to compare."""
    if isinstance(disclosed.value, UnsetType):
        return True
    try:
        return hmac.compare_digest(digest_value(disclosed.value, disclosed.salt), digest)
    except ValueError:
        return False


def _text(value: bytes) -> str:
    return b64encode(value).decode()
