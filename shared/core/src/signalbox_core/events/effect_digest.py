"""The digest of an event that a person approved: receivers and subscribers compare it with the content."""

from typing import Final

import msgspec
from msgspec.structs import asdict, fields, replace

from signalbox_core.canonical_json import sha256_of
from signalbox_core.errors import InvalidInput
from signalbox_core.events.envelope import CloudEvent

EFFECT_DIGEST_MISMATCHED: Final = "effect_digest_mismatched"
_DEFAULTS: Final = {field.name: field.default for field in fields(CloudEvent) if not field.required}


def with_effect_digest(event: CloudEvent) -> CloudEvent:
    """Add the digest that makes a later change of an approved event detectable."""
    return replace(event, effectdigest=_digest(event))


def is_as_approved(event: CloudEvent) -> bool:
    """Whether the event is what its digest was computed of; also true of an event without one."""
    if event.effectdigest is None:
        return True
    try:
        return _digest(event) == event.effectdigest
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def check_effect_digest(event: CloudEvent) -> None:
    """Check that an event arrived as it was approved; one without a digest passes.

    Raises:
        InvalidInput: `effect_digest_mismatched`.
    """
    if not is_as_approved(event):
        raise InvalidInput(
            "the event is not what was approved: its content does not match effectdigest",
            code=EFFECT_DIGEST_MISMATCHED,
            field="effectdigest",
        )


def _digest(event: CloudEvent) -> str:
    """The SHA-256 of the canonical JSON of the members, without the digest and those that have their default.

    `omit_defaults` would compare texts by identity, which differs once an event was decoded.
    """
    members = asdict(replace(event, effectdigest=None))
    return sha256_of({name: value for name, value in members.items() if value != _DEFAULTS.get(name)})
