"""Extraction of an object by schema: the value after the property's name, else the only value of its format.

Pure.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from signalbox_pipelines.ai_task.local.values import find_values
from signalbox_pipelines.ai_task.schema_validation import find_violations
from signalbox_pipelines.ai_task.schemas import Schema, resolve_ref, types_of

_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9à-ỹđ]+|[A-Z0-9À-ỸĐ]+(?![a-zà-ỹđ])")
_LIST_STOP: Final = re.compile(r"[.!?](?:\s+(?=[^\W\d_])|\s*$)|(?<=[^\d\W])[.!?]\s|\s{3,}|\t")
_STOP: Final = re.compile(f";|{_LIST_STOP.pattern}")
_SELF_EVIDENT_FORMATS: Final = frozenset({"email", "uri", "uuid", "date"})
_MAX_CONTEXT_CHARS: Final = 200
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 8


def extract_fields(schema: Schema, text: str) -> dict[str, object]:
    """Return the object; a property that is not found is omitted, or null if the schema allows null."""
    return _object(schema, schema, text, 0)


def _object(root: Schema, node: Mapping[str, object], text: str, depth: int) -> dict[str, object]:
    properties = node.get("properties")
    found: dict[str, object] = {}
    for name, member in properties.items() if isinstance(properties, dict) and depth < _MAX_DEPTH else ():
        plain = _unwrap_nullable(root, member)
        value = next(_candidates(root, plain, name, text, depth), None)
        if value is not None:
            found[name] = value
        elif "null" in types_of(plain) or _is_nullable(member):
            found[name] = None
    return found


def _unwrap_nullable(root: Schema, member: object) -> Mapping[str, object]:
    """Resolve references, and `anyOf [X, null]` to X."""
    node = resolve_ref(root, member) if isinstance(member, dict) else {}
    choices = node.get("anyOf")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("type") != "null":
            texts = {key: node[key] for key in ("title", "description") if key in node}
            return {**resolve_ref(root, choice), **texts}
    return node


def _is_nullable(member: object) -> bool:
    choices = member.get("anyOf") if isinstance(member, dict) else None
    return isinstance(choices, list) and {"type": "null"} in choices


def _candidates(
    root: Schema, node: Mapping[str, object], name: str, text: str, depth: int
) -> Iterator[object]:
    """Yield valid candidates, the best first."""
    kinds = types_of(node)
    if "object" in kinds:
        nested = _object(root, node, text, depth + 1)
        yield from [nested] if any(value is not None for value in nested.values()) else []
        return
    if "array" in kinds:
        yield from _list_candidates(root, node, name, text)
        return
    for passage in _text_after_names(node, name, text):
        yield from (
            value for value in islice(find_values(node, passage), 1) if not find_violations(node, value)
        )
    if node.get("format") in _SELF_EVIDENT_FORMATS or "enum" in node:
        matches = list(islice(find_values(node, text), 2))
        yield from matches if len(matches) == 1 and not find_violations(node, matches[0]) else []


def _list_candidates(root: Schema, node: Mapping[str, object], name: str, text: str) -> Iterator[object]:
    item = _unwrap_nullable(root, node.get("items", {}))
    if item.get("format") in _SELF_EVIDENT_FORMATS or "enum" in item:
        found = list(islice(find_values(item, text), _MAX_ITEMS))
    else:
        passage = next(_text_after_names(node, name, text), "")
        parts = [part for part in re.split(r"[;,]|\band\b|\bvà\b", passage) if part.strip()]
        found = [value for part in parts[:_MAX_ITEMS] for value in islice(find_values(item, part), 1)]
    valid = [value for value in found if not find_violations(item, value)]
    yield from [valid] if valid and not find_violations(node, valid) else []


def _text_after_names(node: Mapping[str, object], name: str, text: str) -> Iterator[str]:
    """Yield the text after the property's name: after `:` or `=` first, then after a verb, then elsewhere."""
    phrases = [re.escape(phrase).replace(r"\ ", r"[\s_-]{1,20}") for phrase in _property_names(node, name)]
    for separator in (
        r"\s{0,20}(?:\([^)\n]{0,30}\)\s{0,20})?[:=：]\s{0,20}",
        r"\s{1,20}(?:is|was|are|of|là|on|at|from)\s{1,20}",
        r"[\s#.]{1,20}",
    ):
        for phrase in phrases:
            pattern = re.compile(
                rf"(?<!\w){phrase}(?!\w){separator}([^\n]{{1,{_MAX_CONTEXT_CHARS}}})", re.IGNORECASE
            )
            yield from (_first_clause(node, match[1]) for match in islice(pattern.finditer(text), 3))


def _first_clause(node: Mapping[str, object], passage: str) -> str:
    return (
        passage
        if node.get("format") in _SELF_EVIDENT_FORMATS
        else (_LIST_STOP if "array" in types_of(node) else _STOP).split(passage, maxsplit=1)[0]
    )


def _property_names(node: Mapping[str, object], name: str) -> list[str]:
    """Return the name as words, the title, and the short parts of the description ("total, amount due")."""
    described = re.split(r"[,;/|]", str(node.get("description", "")))
    given = [
        " ".join(_WORDS.findall(name)),
        str(node.get("title", "")),
        *(part for part in described if len(part.split()) <= 4),
    ]
    return list(dict.fromkeys(phrase.strip() for phrase in given if phrase.strip()))
