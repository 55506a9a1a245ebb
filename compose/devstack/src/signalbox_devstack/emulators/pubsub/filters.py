"""The subscription filter language: attributes only, at most 256 bytes, AND and OR never mixed without
parentheses.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from signalbox_devstack.emulators.pubsub.errors import invalid

Filter = Callable[[Mapping[str, str]], bool]

MAX_FILTER_BYTES: Final = 256
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>!=|=|:|\(|\)|,|\.|-(?=\s*[(a-zA-Z]))|(?P<word>[\w-]+))'
)
_NAMES: Final = frozenset({"word", "text"})


def compile_filter(source: str) -> Filter | None:
    """Compile a filter to a predicate over attributes; None for a blank filter, which matches everything.

    Raises:
        PubsubError: INVALID_ARGUMENT, with the position of the syntax error.
    """
    if not source.strip():
        return None
    if len(source.encode()) > MAX_FILTER_BYTES:
        raise invalid(f"filter has {len(source.encode())} bytes, at most {MAX_FILTER_BYTES}")
    parser = _FilterParser(_tokens(source.rstrip()))
    matches = parser.expression()
    parser.expect_end()
    return matches


def _tokens(source: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if not found or found.lastgroup is None:
            raise invalid(
                f"filter: syntax error at character {position}: {source[position : position + 20]!r}"
            )
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return [*tokens, ("end", "")]


class _FilterParser:
    """A recursive-descent parser; each method consumes tokens and returns a predicate."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def expression(self) -> Filter:
        parts, operator = [self._term()], ""
        while self._peek() in ("AND", "OR"):
            found = self._consume()
            if operator and found != operator:
                raise invalid("filter: AND and OR can only be combined with parentheses")
            operator = found
            parts.append(self._term())
        if len(parts) == 1:
            return parts[0]
        every = operator == "AND"
        return lambda attributes: (
            all(p(attributes) for p in parts) if every else any(p(attributes) for p in parts)
        )

    def expect_end(self) -> None:
        if self._tokens[self._at][0] != "end":
            raise self._unexpected()

    def _term(self) -> Filter:
        if self._peek() in ("NOT", "-"):
            self._consume()
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._peek() == "(":
            self._consume()
            inner = self.expression()
            self._consume(")")
            return inner
        if self._peek() == "hasPrefix":
            return self._has_prefix()
        return self._comparison()

    def _has_prefix(self) -> Filter:
        self._consume("hasPrefix")
        self._consume("(")
        name = self._attribute()
        self._consume(",")
        prefix = self._value(frozenset({"text"}))
        self._consume(")")
        return lambda attributes: name in attributes and attributes[name].startswith(prefix)

    def _comparison(self) -> Filter:
        if self._tokens[self._at + 1 : self._at + 2] == [("sign", ":")]:
            self._consume("attributes")
            self._consume(":")
            present = self._value(_NAMES)
            return lambda attributes: present in attributes
        name = self._attribute()
        operator = self._consume()
        if operator not in ("=", "!="):
            self._at -= 1
            raise self._unexpected()
        value = self._value(frozenset({"text"}))
        # `!=` also matches a message that lacks the attribute, as Google documents it.
        return lambda attributes: (name in attributes and attributes[name] == value) == (operator == "=")

    def _attribute(self) -> str:
        self._consume("attributes")
        self._consume(".")
        return self._value(_NAMES)

    def _value(self, kinds: frozenset[str]) -> str:
        kind, token = self._tokens[self._at]
        if kind not in kinds:
            raise self._unexpected()
        self._at += 1
        if kind == "word":
            return token
        try:
            return str(json.loads(token))
        except ValueError:
            raise invalid(f"filter: invalid escape sequence in {token}") from None

    def _peek(self) -> str:
        kind, token = self._tokens[self._at]
        return "" if kind == "text" else token

    def _consume(self, wanted: str | None = None) -> str:
        kind, token = self._tokens[self._at]
        if kind == "end" or (wanted is not None and token != wanted):
            raise self._unexpected()
        self._at += 1
        return token

    def _unexpected(self) -> Exception:
        return invalid(f"filter: unexpected {self._tokens[self._at][1] or 'end'!r}")
