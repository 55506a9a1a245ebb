"""Prompting for the answer to an approval: per variant if the question has variants, else per field."""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from signalbox_client.commands.command_context import read_text
from signalbox_client.commands.flags import Flag, Schema, build_input, flags_of, parse_json, read_schema
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput

Prompt = Callable[[str], Awaitable[str]]
Print = Callable[[str], None]
_TEXTS = ("headline", "body", "cta")
_PICTURE = re.compile(r"data:image/(svg|png|jpeg|gif|webp)(?:\+xml)?;base64,([A-Za-z0-9+/]+=*)")


class Variant(Struct, frozen=True, kw_only=True):
    """One candidate: the parts that a terminal can show."""

    variant: str
    headline: str = ""
    body: str = ""
    cta: str = ""
    version: int = 1


def variants_of(approval: Approval) -> tuple[Variant, ...]:
    """The candidates of an approval; empty if its question is of another kind."""
    if _variants_field(read_schema(approval.answer_schema)) is None:
        return ()
    try:
        return msgspec.json.decode(approval.options, type=tuple[Variant, ...])
    except msgspec.ValidationError:
        return ()


class EvidencePicture(Struct, frozen=True):
    """A picture in an approval's evidence. `suffix` is its file suffix: svg, png, jpeg …"""

    suffix: str
    body: bytes


class _Evidence(Struct, frozen=True):
    picture: str | None = None


def picture_of(approval: Approval) -> EvidencePicture | None:
    """The evidence's `picture`; None if it is absent or not a `data:` URL of a picture."""
    try:
        evidence = msgspec.json.decode(approval.evidence, type=_Evidence | None)
        found = _PICTURE.fullmatch(evidence.picture) if evidence and evidence.picture else None
        return EvidencePicture(found[1], base64.b64decode(found[2], validate=True)) if found else None
    except (msgspec.ValidationError, binascii.Error):
        return None


async def prompt_for_answer(approval: Approval, prompt: Prompt, show: Print) -> Mapping[str, object]:
    """Prompt until the answer is complete.

    Raises:
        EOFError: Ctrl-D; the approval stays pending.
    """
    schema = read_schema(approval.answer_schema)
    variants = variants_of(approval)
    field = _variants_field(schema)
    if not variants or field is None:
        return await _prompt_fields(schema, prompt, show)
    decisions = []
    for number, variant in enumerate(variants, start=1):
        show(
            f"\n{number} of {len(variants)}: {variant.variant}\n"
            f"  {variant.headline}\n  {variant.body}\n  [{variant.cta}]"
        )
        decisions.append(await _prompt_variant(variant, prompt, show))
    return {field: decisions}


def choose_first(
    variants: tuple[Variant, ...], *, approve: int, reason: str, field: str = "decisions"
) -> Mapping[str, object]:
    """An answer that approves the first `approve` variants and rejects the rest."""
    decisions = [
        {"variant": item.variant, "action": "approve"}
        if index < approve
        else {"variant": item.variant, "action": "reject", "reason": reason}
        for index, item in enumerate(variants)
    ]
    return {field: decisions}


async def _prompt_variant(variant: Variant, prompt: Prompt, show: Print) -> Mapping[str, object]:
    while True:
        choice = (await prompt("  [a]pprove, [e]dit or [r]eject? ")).strip().lower()
        if choice in ("a", "approve"):
            return {"variant": variant.variant, "action": "approve"}
        if choice in ("r", "reject"):
            return {"variant": variant.variant, "action": "reject", "reason": await _prompt_reason(prompt)}
        if choice not in ("e", "edit"):
            show("  Type a, e or r")
        elif changes := await _prompt_changes(variant, prompt, show):
            return {"variant": variant.variant, "action": "edit", **changes}


async def _prompt_reason(prompt: Prompt) -> str:
    while not (reason := (await prompt("  What should the next attempt do better? ")).strip()):
        pass
    return reason


async def _prompt_changes(variant: Variant, prompt: Prompt, show: Print) -> Mapping[str, str]:
    show("  Press Enter to keep the text in brackets")
    typed = {name: (await prompt(f"  {name} [{getattr(variant, name)}]: ")).strip() for name in _TEXTS}
    return {name: text for name, text in typed.items() if text and text != getattr(variant, name)}


async def _prompt_fields(schema: Schema, prompt: Prompt, show: Print) -> Mapping[str, object]:
    answer: dict[str, object] = {}
    for flag in flags_of(schema):
        value = await _prompt_field(flag, prompt, show)
        if value is not None:
            answer[flag.field] = value
    return answer


async def _prompt_field(flag: Flag, prompt: Prompt, show: Print) -> object:
    note = f" ({flag.help})" if flag.help else ""
    while True:
        text = (await prompt(f"{flag.field}{note}: ")).strip()
        if not text and not flag.required:
            return None
        if flag.choices and text not in flag.choices:
            show(f"  Choose one of: {', '.join(flag.choices)}")
            continue
        try:
            return build_input([flag], {flag.field: text}, {})[flag.field]
        except InvalidInput as error:
            show(f"  {error.detail}")


def _variants_field(schema: Schema) -> str | None:
    """The answer's field with one decision per variant; None if the answer has no such field."""
    for name, field in schema.properties.items():
        item = schema.resolve(schema.resolve(field).items)
        if {"variant", "action"} <= item.properties.keys():
            return name
    return None


def read_answer(given: str) -> Mapping[str, object]:
    """Read the answer of `--answer`; `-`: from standard input.

    Raises:
        InvalidInput: not JSON, or not an object.
    """
    return parse_answer(read_text("-", option="--answer") if given == "-" else given)


def parse_answer(text: str) -> Mapping[str, object]:
    """Parse the JSON object of `--answer`.

    Raises:
        InvalidInput: not JSON, or not an object.
    """
    try:
        answer = parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"--answer is not JSON: {error}", field="--answer") from None
    if not isinstance(answer, dict):
        raise InvalidInput("--answer must be a JSON object, such as '{\"decisions\": []}'", field="--answer")
    return answer
