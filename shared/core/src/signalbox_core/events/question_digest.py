"""The digest of a question: the run records it, and a client recomputes it from what it shows."""

import msgspec
from msgspec import Struct

from signalbox_core.canonical_json import sha256_of
from signalbox_core.events.policy import Policy


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
        """The SHA-256 of the canonical JSON; members that the question does not have are left out."""
        form: dict[str, object] = {"title": self.title, "answer_schema": self.answer_schema}
        optional = {"about": self.about, "policy": self.policy, "proposal": self.proposal}
        form |= {name: value for name, value in optional.items() if value is not None}
        return sha256_of({"question": form, "options": self.options, "evidence": self.evidence})
