"""Asking a person for the answer to an approval: variant by variant where the question has variants, else field by field."""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from signalbox_client.flags import Flag, Schema, flags_of, input_of, read_schema
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput

Ask = Callable[[str], Awaitable[str]]
Tell = Callable[[str], None]
_TEXTS = ("headline", "body", "cta")
_PICTURE = re.compile(r"data:image/(svg|png|jpeg|gif|webp)(?:\+xml)?;base64,([A-Za-z0-9+/]+=*)")


class Variant(Struct, frozen=True, kw_only=True):
    """One candidate, as far as a terminal can show it."""

    variant: str
    headline: str = ""
    body: str = ""
    cta: str = ""
    version: int = 1


def variants_of(approval: Approval) -> tuple[Variant, ...]:
    """The candidates of an approval; empty when it asks something else."""
    if _variants_field(read_schema(approval.answer_schema)) is None:
        return ()
    try:
        return msgspec.json.decode(approval.options, type=tuple[Variant, ...])
    except msgspec.ValidationError:
        return ()


class Picture(Struct, frozen=True):
    """A picture that came with a question. `ending` is that of its file: svg, png, jpeg …"""

    ending: str
    body: bytes


class _Evidence(Struct, frozen=True):
    picture: str | None = None


def picture_of(approval: Approval) -> Picture | None:
    """The `picture` in the evidence; None when there is none, or it is no data of a picture."""
    try:
        address = msgspec.json.decode(approval.evidence, type=_Evidence | None)
        found = _PICTURE.fullmatch(address.picture) if address and address.picture else None
        return Picture(found[1], base64.b64decode(found[2], validate=True)) if found else None
    except (msgspec.ValidationError, binascii.Error):
        return None


async def ask_answer(approval: Approval, ask: Ask, tell: Tell) -> Mapping[str, object]:
    """Ask until the answer is complete. EOFError (Ctrl-D) leaves the question open."""
    schema = read_schema(approval.answer_schema)
    variants = variants_of(approval)
    field = _variants_field(schema)
    if not variants or field is None:
        return await _ask_fields(schema, ask, tell)
    decisions = []
    for number, variant in enumerate(variants, start=1):
        tell(
            f"\n{number} of {len(variants)}: {variant.variant}\n  {variant.headline}\n  {variant.body}\n  [{variant.cta}]"
        )
        decisions.append(await _ask_variant(variant, ask, tell))
    return {field: decisions}


def choose_first(
    variants: tuple[Variant, ...], *, approve: int, reason: str, field: str = "decisions"
) -> Mapping[str, object]:
    """The answer of somebody who approves the first few and rejects the rest."""
    decisions = [
        {"variant": item.variant, "action": "approve"}
        if place < approve
        else {"variant": item.variant, "action": "reject", "reason": reason}
        for place, item in enumerate(variants)
    ]
    return {field: decisions}


async def _ask_variant(variant: Variant, ask: Ask, tell: Tell) -> Mapping[str, object]:
    while True:
        word = (await ask("  [a]pprove, [e]dit or [r]eject? ")).strip().lower()
        if word in ("a", "approve"):
            return {"variant": variant.variant, "action": "approve"}
        if word in ("r", "reject"):
            return {"variant": variant.variant, "action": "reject", "reason": await _ask_reason(ask)}
        if word not in ("e", "edit"):
            tell("  type a, e or r")
        elif changes := await _ask_changes(variant, ask, tell):
            return {"variant": variant.variant, "action": "edit", **changes}


async def _ask_reason(ask: Ask) -> str:
    while not (reason := (await ask("  what should the next attempt do better? ")).strip()):
        pass
    return reason


async def _ask_changes(variant: Variant, ask: Ask, tell: Tell) -> Mapping[str, str]:
    tell("  Enter keeps what is in brackets")
    said = {name: (await ask(f"  {name} [{getattr(variant, name)}]: ")).strip() for name in _TEXTS}
    return {name: text for name, text in said.items() if text and text != getattr(variant, name)}


async def _ask_fields(schema: Schema, ask: Ask, tell: Tell) -> Mapping[str, object]:
    answer: dict[str, object] = {}
    for flag in flags_of(schema):
        value = await _ask_field(flag, ask, tell)
        if value is not None:
            answer[flag.field] = value
    return answer


async def _ask_field(flag: Flag, ask: Ask, tell: Tell) -> object:
    note = f" ({flag.help})" if flag.help else ""
    while True:
        text = (await ask(f"{flag.field}{note}: ")).strip()
        if not text and not flag.required:
            return None
        if flag.choices and text not in flag.choices:
            tell(f"  one of {', '.join(flag.choices)}")
            continue
        try:
            return input_of([flag], {flag.field: text}, {})[flag.field]
        except InvalidInput as error:
            tell(f"  {error.detail}")


def _variants_field(schema: Schema) -> str | None:
    """The field that holds a decision for each variant, when that is what the answer is."""
    for name, field in schema.properties.items():
        item = schema.resolve(schema.resolve(field).items)
        if {"variant", "action"} <= item.properties.keys():
            return name
    return None


def parse_answer(text: str) -> Mapping[str, object]:
    """`--answer`: a JSON object.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--answer is not JSON: {error}", field="--answer") from None
    if not isinstance(answer, dict):
        raise InvalidInput(
            "--answer must be a JSON object, for example '{\"decisions\": []}'", field="--answer"
        )
    return answer
