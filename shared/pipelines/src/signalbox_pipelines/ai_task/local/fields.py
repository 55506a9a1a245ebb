"""Filling a schema from a text: after the property's name if the text has it, else by a format that occurs once. Pure."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from signalbox_pipelines.ai_task.local.values import values_in
from signalbox_pipelines.ai_task.schema_conformance import problems_of
from signalbox_pipelines.ai_task.schemas import Schema, defined, types_of

_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9à-ỹđ]+|[A-Z0-9À-ỸĐ]+(?![a-zà-ỹđ])")
_LIST_STOP: Final = re.compile(r"[.!?](?:\s+(?=[^\W\d_])|\s*$)|(?<=[^\d\W])[.!?]\s|\s{3,}|\t")
_STOP: Final = re.compile(f";|{_LIST_STOP.pattern}")
_UNMISTAKABLE: Final = frozenset({"email", "uri", "uuid", "date"})
_AFTER: Final = 200
_MANY: Final = 50
_DEPTH: Final = 8


def fields_of(schema: Schema, text: str) -> dict[str, object]:
    """The object; what the text does not say is left out, or null where the schema wants it said."""
    return _object(schema, schema, text, 0)


def _object(root: Schema, node: Mapping[str, object], text: str, depth: int) -> dict[str, object]:
    properties = node.get("properties")
    found: dict[str, object] = {}
    for name, member in properties.items() if isinstance(properties, dict) and depth < _DEPTH else ():
        plain = _plain(root, member)
        value = next(_values(root, plain, name, text, depth), None)
        if value is not None:
            found[name] = value
        elif "null" in types_of(plain) or _may_be_null(member):
            found[name] = None
    return found


def _plain(root: Schema, member: object) -> Mapping[str, object]:
    """References followed; of `anyOf [X, null]` X."""
    node = defined(root, member) if isinstance(member, dict) else {}
    choices = node.get("anyOf")
    real = (
        [choice for choice in choices if isinstance(choice, dict) and choice.get("type") != "null"]
        if isinstance(choices, list)
        else []
    )
    return (
        {**defined(root, real[0]), **{key: node[key] for key in ("title", "description") if key in node}}
        if real
        else node
    )


def _may_be_null(member: object) -> bool:
    choices = member.get("anyOf") if isinstance(member, dict) else None
    return isinstance(choices, list) and {"type": "null"} in choices


def _values(root: Schema, node: Mapping[str, object], name: str, text: str, depth: int) -> Iterator[object]:
    """Candidates that conform, the best first."""
    kinds = types_of(node)
    if "object" in kinds:
        inner = _object(root, node, text, depth + 1)
        yield from [inner] if any(value is not None for value in inner.values()) else []
        return
    if "array" in kinds:
        yield from _lists(root, node, name, text)
        return
    for stretch in _after_names(node, name, text):
        yield from (value for value in islice(values_in(node, stretch), 1) if not problems_of(node, value))
    if node.get("format") in _UNMISTAKABLE or "enum" in node:
        everywhere = list(islice(values_in(node, text), 2))
        yield from everywhere if len(everywhere) == 1 and not problems_of(node, everywhere[0]) else []


def _lists(root: Schema, node: Mapping[str, object], name: str, text: str) -> Iterator[object]:
    item = _plain(root, node.get("items", {}))
    if item.get("format") in _UNMISTAKABLE or "enum" in item:
        found = list(islice(values_in(item, text), _MANY))
    else:
        stretch = next(_after_names(node, name, text), "")
        parts = [part for part in re.split(r"[;,]|\band\b|\bvà\b", stretch) if part.strip()]
        found = [value for part in parts[:_MANY] for value in islice(values_in(item, part), 1)]
    fitting = [value for value in found if not problems_of(item, value)]
    yield from [fitting] if fitting and not problems_of(node, fitting) else []


def _after_names(node: Mapping[str, object], name: str, text: str) -> Iterator[str]:
    """What follows the property's name in the text: first where a colon or the like says so, then any mention."""
    phrases = [re.escape(phrase).replace(r"\ ", r"[\s_-]+") for phrase in _phrases(node, name)]
    for joint in (
        r"\s*(?:\([^)\n]{0,30}\)\s*)?[:=：]\s*",
        r"\s+(?:is|was|are|of|là|on|at|from)\s+",
        r"[\s#.]+",
    ):
        for phrase in phrases:
            pattern = re.compile(rf"(?<!\w){phrase}(?!\w){joint}([^\n]{{1,{_AFTER}}})", re.IGNORECASE)
            yield from (_first_sentence(node, match[1]) for match in islice(pattern.finditer(text), 3))


def _first_sentence(node: Mapping[str, object], stretch: str) -> str:
    return (
        stretch
        if node.get("format") in _UNMISTAKABLE
        else (_LIST_STOP if "array" in types_of(node) else _STOP).split(stretch, maxsplit=1)[0]
    )


def _phrases(node: Mapping[str, object], name: str) -> list[str]:
    """The name as words, the title, and the short alternatives of the description ("total, amount due")."""
    described = re.split(r"[,;/|]", str(node.get("description", "")))
    given = [
        " ".join(_WORDS.findall(name)),
        str(node.get("title", "")),
        *(part for part in described if len(part.split()) <= 4),
    ]
    return list(dict.fromkeys(phrase.strip() for phrase in given if phrase.strip()))
