"""The interface of a finder: a function that searches the text of one page for one type of fact."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from signalbox_pipelines.document_batch.document.extract.conventions import Conventions


class TextMatch(Struct, frozen=True, kw_only=True):
    """A match in the text.

    Attributes:
        start, end: its position in the text.
        value: the normalised value.
        problem: why the value is invalid, for example a wrong check digit; None when it is valid.
        remark: a note about a valid value.
    """

    start: int
    end: int
    value: str
    currency: str | None = None
    problem: str | None = None
    remark: str | None = None


Finder = Callable[[str, Conventions], Iterator[TextMatch]]
"""Called with the page's text and the conventions of its document. Pure."""
