"""Titles for people, made from the names of workflows and activities. Pure."""

import re
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+|[^\W_]", re.UNICODE)
MAX_NAME_BYTES: Final = 200


def title_of(name: str) -> str:
    """Return `compose_greeting`, `ComposeGreeting` or `greetings.compose` as words."""
    words = _WORDS.findall(name)
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return f"{text[:1].upper()}{text[1:]}" or name


def step_name(activity_type: str) -> str:
    """Return the name of the step for an activity type: the type, limited to what an event can carry."""
    printable = "".join(char if char.isprintable() else "_" for char in activity_type) or "activity"
    return printable.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
