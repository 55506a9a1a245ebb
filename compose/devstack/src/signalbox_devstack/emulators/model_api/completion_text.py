"""Generates the text of a completion, always the same for the same prompt, and splits it into tokens.

Pure.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from signalbox_devstack.emulators.model_api.wire import CompletionRequest

_TOKEN: Final = re.compile(r"\s*[^\W_]+|\s*[^\w\s]|\s+|_")
_FENCED: Final = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?]")
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:30:00Z",
    "email": "lan@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def completion_for(chat: CompletionRequest) -> str:
    """JSON that matches the schema in the prompt, or its example if JSON is requested, else sentences of the
    last message.
    """
    prompt = "\n".join(message.content or "" for message in chat.messages)
    fenced = _FENCED.search(prompt)
    if fenced or (chat.response_format is not None and chat.response_format.type != "text"):
        value = (
            example_of_schema(schema := json.loads(fenced[1]), schema)
            if fenced
            else repeat_example_in(prompt)
        )
        return json.dumps(value, ensure_ascii=False)
    last_message = chat.messages[-1].content or "" if chat.messages else ""
    sentences = [" ".join(sentence.split()) for sentence in _SENTENCE.findall(last_message)]
    return " ".join(["This is a simulated answer.", *sentences[:4], "It ends here."])


def repeat_example_in(prompt: str) -> object:
    """The example in the prompt (`{"texts": [{"headline": "…"}]}`) with ten items in each of its lists."""
    start = prompt.find("{")
    try:
        example, _ = json.JSONDecoder().raw_decode(prompt, start) if start >= 0 else ({}, 0)
    except json.JSONDecodeError:
        return {}
    return _filled(example, 1)


def _filled(value: object, number: int) -> object:
    if isinstance(value, dict):
        return {name: _filled(member, number) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(item, place) for item in value[:1] for place in range(1, 11)]
    return f"Simulated text {number}" if isinstance(value, str) else value


def tokenize(text: str) -> list[str]:
    return _TOKEN.findall(text)


def example_of_schema(schema: object, root: Mapping[str, object], depth: int = 0) -> object:
    """A value that is valid under a plain JSON Schema."""
    node = schema if isinstance(schema, dict) else {}
    reference = node.get("$ref")
    if isinstance(reference, str):
        definitions = root.get("$defs")
        return example_of_schema(
            definitions.get(reference.rsplit("/", 1)[-1]) if isinstance(definitions, dict) else {},
            root,
            depth + 1,
        )
    for choices in (node.get("enum"), [node["const"]] if "const" in node else None):
        if isinstance(choices, list):
            return choices[0]
    if isinstance(node.get("anyOf"), list):
        return example_of_schema(node["anyOf"][0], root, depth + 1)
    kind = node.get("type")
    return _of_kind(str(kind[0] if isinstance(kind, list) else kind), node, root, depth)


def _of_kind(kind: str, node: "dict[str, object]", root: Mapping[str, object], depth: int) -> object:
    properties = node.get("properties")
    match kind:
        case "object":
            members = properties.items() if isinstance(properties, dict) and depth < 10 else ()
            return {name: example_of_schema(member, root, depth + 1) for name, member in members}
        case "array":
            return [example_of_schema(node.get("items", {}), root, depth + 1)]
        case "integer" | "number":
            least = node.get("minimum", 1)
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _FORMATS.get(str(node.get("format")), "something")
