"""What a finder gives: a place in the text, the normalised value, and what is wrong with it, if anything."""

from msgspec import Struct


class Found(Struct, frozen=True, kw_only=True):
    """`problem` is why the value does not stand its check; `remark` is for a value that does."""

    start: int
    end: int
    value: str
    currency: str | None = None
    problem: str | None = None
    remark: str | None = None
