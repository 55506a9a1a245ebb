"""E-mail addresses and telephone numbers."""

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from signalbox_pipelines.document_batch.document.extract.conventions import Conventions
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z]{2,24}(?![\w-])"
)
_MAX_TRIES: Final = 5_000
"""Of strings of digits on a page that are no telephone number; each takes about 80 µs."""
_REGIONS: Final = {"vi": "VN", "en": "GB"}


def find_emails(text: str, _conventions: Conventions) -> Iterator[TextMatch]:
    for match in _EMAIL.finditer(text):
        yield TextMatch(start=match.start(), end=match.end(), value=match.group().lower())


def find_phones(text: str, conventions: Conventions) -> Iterator[TextMatch]:
    """Find valid numbers, as E.164.

    One without a country code is read in a Vietnamese or an English document only, as of Vietnam or the
    United Kingdom.
    """
    region = _REGIONS.get(conventions.language)
    for match in phonenumbers.PhoneNumberMatcher(
        text, region, leniency=phonenumbers.Leniency.VALID, max_tries=_MAX_TRIES
    ):
        value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        yield TextMatch(start=match.start, end=match.end, value=value)
