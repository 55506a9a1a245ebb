"""Parses the signature fields of a delivery before any key is looked up; nothing is verified yet.

Errors follow from the request alone, so they are detailed without helping a forger.
"""

import re
from datetime import datetime
from typing import Final, TypeAlias, cast

import http_sf
import msgspec
from http_sf.types import BareItemType, StructuredType

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures import profile
from signalbox_core.signatures.canonical import read_input, read_signature

_NONCE: Final = re.compile(rf"[A-Za-z0-9+/=_.:~-]{{{profile.MIN_NONCE_CHARS},{profile.MAX_NONCE_CHARS}}}")
_KEYID: Final = re.compile(rf"[\x21-\x7e]{{1,{profile.MAX_KEYID_CHARS}}}")
_PARAMETERS: Final = frozenset(profile.PARAMETERS)
_INTEGERS: Final = frozenset({"created", "expires"})
# Year 2200: a later time is a mistake (milliseconds, for example).
_MAX_SECOND: Final = 7_258_118_400

Parameters: TypeAlias = dict[str, BareItemType]
Components: TypeAlias = list[tuple[BareItemType, Parameters]]
Members: TypeAlias = dict[str, tuple[BareItemType | Components, Parameters]]


class SignatureClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The one signature with our tag.

    Attributes:
        covered: the component names in signed order.
        parameters: the covered components and all parameters, serialized for the signature base (§2.3).
        signature: the decoded bytes.
    """

    label: str
    keyid: str
    alg: str
    created: int
    expires: int
    nonce: str
    covered: tuple[str, ...]
    parameters: str
    signature: bytes


def read_claim(signature_input: str | None, signature: str | None) -> SignatureClaim:
    """Parse both fields according to the profile; signatures with another tag are ignored.

    Raises:
        InvalidSignature: `signature_required`, `signature_malformed`, `signature_incomplete` or
            `insufficient_coverage`.
    """
    if signature_input is None or signature is None:
        raise InvalidSignature(
            "sign the request: it needs Signature-Input and Signature (RFC 9421)", code="signature_required"
        )
    return _read_canonical(signature_input, signature) or _read_any(signature_input, signature)


def _read_canonical(signature_input: str, signature: str) -> SignatureClaim | None:
    ours, value = read_input(signature_input), read_signature(signature)
    if (
        ours is None
        or value is None
        or ours[0] != value[0]
        or ours[2].get("tag") != profile.TAG
        or not value[1]
    ):
        return None
    label, names, parameters, serialized = ours
    return _claim(label, ([(name, {}) for name in names], {**parameters}), value[1], serialized)


def _read_any(signature_input: str, signature: str) -> SignatureClaim:
    inputs = _members("Signature-Input", signature_input)
    signatures = _members("Signature", signature)
    if inputs.keys() != signatures.keys():
        raise _malformed("Signature-Input and Signature must have the same labels")
    label, components, parameters = _ours(inputs)
    value = signatures[label][0]
    if not isinstance(value, bytes) or not value:
        raise _malformed("the member of Signature must be a byte sequence")
    serialized = http_sf.ser(cast(StructuredType, {label: (components, parameters)})).partition("=")[2]
    return _claim(label, (components, parameters), value, serialized)


def check_window(claim: SignatureClaim, now: datetime) -> None:
    """Check the claim's times: skew 5 s, age 300 s, lifetime 300 s.

    Raises:
        InvalidSignature: `signature_not_yet_valid`, `signature_stale` or `signature_lifetime`.
    """
    second = now.timestamp()
    skew = profile.CLOCK_SKEW.total_seconds()
    if not 0 < claim.expires - claim.created <= profile.MAX_LIFETIME.total_seconds():
        raise InvalidSignature("expires must be after created, by at most 300 s", code="signature_lifetime")
    if claim.created > second + skew:
        raise InvalidSignature(
            "created is in the future; check the clock and sign again", code="signature_not_yet_valid"
        )
    if claim.created < second - profile.MAX_AGE.total_seconds() - skew or claim.expires < second - skew:
        raise InvalidSignature("the signature is too old; sign every attempt again", code="signature_stale")


def _malformed(detail: str) -> InvalidSignature:
    return InvalidSignature(detail, code="signature_malformed")


def _members(name: str, text: str) -> Members:
    def refuse_duplicate(_key: str, _context: str) -> None:
        raise _malformed(f"{name} has a duplicate label or parameter")

    try:
        parsed = cast(
            Members,
            http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse_duplicate),
        )
    except (ValueError, TypeError):
        raise _malformed(f"{name} must be a dictionary (RFC 9651)") from None
    if not 1 <= len(parsed) <= profile.MAX_LABELS:
        raise _malformed(f"{name} must have 1 to {profile.MAX_LABELS} labels")
    return parsed


def _ours(inputs: Members) -> tuple[str, Components, Parameters]:
    if not all(isinstance(components, list) for components, _ in inputs.values()):
        raise _malformed("a member of Signature-Input must be an inner list")
    ours = [label for label, (_, parameters) in inputs.items() if parameters.get("tag") == profile.TAG]
    if not ours:
        raise InvalidSignature(f'no signature has tag="{profile.TAG}"', code="signature_required")
    if len(ours) > 1:
        raise _malformed(f'exactly one signature may have tag="{profile.TAG}"')
    components, parameters = inputs[ours[0]]
    return ours[0], cast(Components, components), parameters


def _claim(
    label: str, inner: tuple[Components, Parameters], signature: bytes, serialized: str
) -> SignatureClaim:
    components, parameters = inner
    covered = _covered(components)
    _check_types(parameters)
    return SignatureClaim(
        label=label,
        covered=covered,
        parameters=serialized,
        signature=signature,
        created=_second(parameters, "created"),
        expires=_second(parameters, "expires"),
        nonce=_matching(parameters, "nonce", _NONCE),
        keyid=_matching(parameters, "keyid", _KEYID),
        alg=str(parameters["alg"]),
    )


def _covered(components: Components) -> tuple[str, ...]:
    for name, parameters in components:
        if parameters and name in profile.COVERED:
            raise InvalidSignature(
                f"cover {name} as a whole, without parameters", code="insufficient_coverage"
            )
        if type(name) is not str or name not in profile.COVERED:
            raise _malformed(f"cover these components only, without parameters: {' '.join(profile.COVERED)}")
    covered = tuple(str(name) for name, _ in components)
    if len(set(covered)) < len(covered):
        raise _malformed("a component is covered twice")
    missing = [name for name in profile.COVERED if name not in covered]
    if missing:
        raise InvalidSignature(
            f"the signature must also cover {' '.join(missing)}", code="insufficient_coverage"
        )
    return covered


def _check_types(parameters: Parameters) -> None:
    for name, value in parameters.items():
        if name not in _PARAMETERS:
            raise _malformed(f"a signature parameter is not one of {' '.join(profile.PARAMETERS)}")
        wanted = int if name in _INTEGERS else str
        # Exact types: bool is a subclass of int, and a Structured Field token compares equal to a string.
        if type(value) is not wanted:
            raise _malformed(
                f"signature parameter {name} must be {'an integer' if wanted is int else 'a quoted string'}"
            )
    missing = [name for name in profile.PARAMETERS if name not in parameters]
    if missing:
        raise InvalidSignature(
            f"the signature lacks the parameters {' '.join(missing)}", code="signature_incomplete"
        )


def _second(parameters: Parameters, name: str) -> int:
    second = parameters[name]
    assert isinstance(second, int)
    if not 0 <= second <= _MAX_SECOND:
        raise _malformed(f"signature parameter {name} must be seconds since 1970")
    return second


def _matching(parameters: Parameters, name: str, pattern: re.Pattern[str]) -> str:
    text = str(parameters[name])
    if not pattern.fullmatch(text):
        raise _malformed(
            f"signature parameter {name} has a wrong length or character: see the signature profile"
        )
    return text
