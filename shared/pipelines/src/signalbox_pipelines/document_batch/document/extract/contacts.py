"""E-mail addresses and telephone numbers. Pure."""

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.match import Found

_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])"
)
_REGIONS: Final[dict[Language, str]] = {"vi": "VN", "en": "GB"}


def find_emails(text: str, _language: Language) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found(start=match.start(), end=match.end(), value=match.group().lower())


def find_phones(text: str, language: Language) -> Iterator[Found]:
    """Numbers that exist, in E.164; those without a country code are taken as of the document's first language's country."""
    for match in phonenumbers.PhoneNumberMatcher(
        text, _REGIONS[language], leniency=phonenumbers.Leniency.VALID
    ):
        value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        yield Found(start=match.start, end=match.end, value=value)
