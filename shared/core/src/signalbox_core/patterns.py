"""Regular expressions that a whole text must match, for msgspec and for JSON Schema alike."""


def whole(pattern: str) -> str:
    """A pattern for `Meta(pattern=…)` that accepts a text only as a whole.

    Python's `$` also matches before a line feed at the end, so that `^a$` accepts `a` with a line feed. JSON
    Schema has the syntax of ECMAScript, which lacks Python's `\\Z`; a look-ahead means the same in both.
    """
    return rf"^(?:{pattern})$(?!\n)"
