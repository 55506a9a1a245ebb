"""The digest of a question: the run records it, and a client recomputes it from what it shows.

A digest has one of two forms, which its prefix distinguishes. A prefix cannot be left out on the way, as a
member next to the digest could: the run accepts a decision only with the digest that it has recorded.
"""

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.canonical_json import jcs_json, sha256_of
from signalbox_core.events.policy import Policy

JCS_PREFIX: Final = "jcs:"
"""Begins a digest of JSON in the canonical form of RFC 8785, the JSON Canonicalization Scheme."""


def is_known_form(digest: str) -> bool:
    """Return whether this version can compute digests of this form, which a prefix distinguishes."""
    return ":" not in digest or digest.startswith(JCS_PREFIX)


class QuestionContent(Struct, frozen=True, kw_only=True):
    """Everything that the digest of a question covers.

    Attributes:
        answer_schema, options, evidence: JSON.
        policy: with which the question was asked; None for the default.
        proposal: the answer as proposed, as JSON; None without one.
    """

    title: str
    answer_schema: msgspec.Raw
    options: msgspec.Raw
    evidence: msgspec.Raw
    about: str | None = None
    policy: Policy | None = None
    proposal: msgspec.Raw | None = None

    @property
    def digest(self) -> str:
        """With which the question is recorded: `jcs:` and the SHA-256 of its JSON by RFC 8785.

        RFC 8785 has no integers beyond 2^53 - 1. A question with one has its `text_digest`.
        """
        return self._jcs_digest() or self.text_digest

    @property
    def text_digest(self) -> str:
        """The SHA-256 of the canonical JSON in which 1.0 and 1 differ; it has no prefix.

        Earlier versions recorded every question with it. JavaScript cannot compute it, because it reads 1.0
        as 1.
        """
        return sha256_of(self._covered())

    def matches(self, digest: str) -> bool:
        """Return whether a digest, in either form, is that of this question.

        A question with what JSON cannot represent, such as half of a surrogate pair, has no digest.
        """
        try:
            expected = self._jcs_digest() if digest.startswith(JCS_PREFIX) else self.text_digest
        except msgspec.DecodeError:
            return False
        return digest == expected

    def _jcs_digest(self) -> str | None:
        """The digest by RFC 8785; None if an integer exceeds what RFC 8785 can represent."""
        try:
            canonical = jcs_json(self._covered())
        except ValueError:
            return None
        return f"{JCS_PREFIX}{hashlib.sha256(canonical).hexdigest()}"

    def _covered(self) -> dict[str, object]:
        """What is hashed; members that the question does not have are left out."""
        form: dict[str, object] = {"title": self.title, "answer_schema": self.answer_schema}
        optional = {"about": self.about, "policy": self.policy, "proposal": self.proposal}
        form |= {name: value for name, value in optional.items() if value is not None}
        return {"question": form, "options": self.options, "evidence": self.evidence}
