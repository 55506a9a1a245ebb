"""Regular expressions that must match a whole string, in msgspec and in JSON Schema."""


def whole(pattern: str) -> str:
    """Anchor a pattern for `Meta(pattern=…)`, so that it must match the whole string.

    Python's `$` also matches before a trailing line feed: `^a$` accepts `"a\\n"`. JSON Schema has the syntax
    of ECMAScript, which has no `\\Z`; the negative look-ahead works in both.
    """
    return rf"^(?:{pattern})$(?!\n)"
