"""What a check found. Pure."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    SKIPPED = "skipped"
    """It was not checked, because nothing is configured for it."""
    WARNING = "warning"
    """It works, but not as it should."""
    ERROR = "error"
    """Something does not work."""


class Finding(Struct, frozen=True, kw_only=True):
    """One result.

    Attributes:
        subject: what was checked ("Redis", "API keys").
        detail: what was found.
        remedy: what to do; empty for `ok`.
    """

    level: Level
    subject: str
    detail: str
    remedy: str = ""


class Reporter:
    """Makes the findings of one subject."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def ok(self, detail: str) -> Finding:
        return Finding(level=Level.OK, subject=self._subject, detail=detail)

    def skipped(self, remedy: str) -> Finding:
        return Finding(level=Level.SKIPPED, subject=self._subject, detail="not checked", remedy=remedy)

    def warning(self, detail: str, remedy: str) -> Finding:
        return Finding(level=Level.WARNING, subject=self._subject, detail=detail, remedy=remedy)

    def error(self, detail: str, remedy: str) -> Finding:
        return Finding(level=Level.ERROR, subject=self._subject, detail=detail, remedy=remedy)
