"""How a document writes what can be read in several ways: its language, its currency, the order of dates."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, Literal

from msgspec import Struct

from signalbox_core.formats.currencies import CODES, SIGNS, WORDS_TOO
from signalbox_pipelines.document_batch.document.contract import Language

WrittenLanguage = Literal["vi", "en", "de", "fr", "es", "it", "nl"]
DateOrder = Literal["day first", "month first"]

# Words that are frequent in one of the languages and rare in the others.
_WORDS: Final[dict[WrittenLanguage, str]] = {
    "vi": "ngày tháng năm của và cho số người tại trong hóa đơn tổng cộng công ty địa chỉ",
    "en": "the of and for to from with your is this by invoice due payment paid tax description quantity",
    "de": "der und für von mit ist nicht bis zum zur wir bitte rechnung rechnungsdatum betrag menge",
    "fr": "le les des du et pour est dans avec vous votre facture montant règlement échéance",
    "es": "el los las del y por su factura fecha importe vencimiento cantidad",
    "it": "il di della dei per fattura importo scadenza quantità totale alla",
    "nl": "het een van voor met op bij factuur factuurdatum bedrag vervaldatum aantal",
}
_LANGUAGE_OF: Final = {word: language for language, words in _WORDS.items() for word in words.split()}
_WORD: Final = re.compile(r"[^\W\d_]{1,20}")
_MAX_WORDS: Final = 20_000
_NUMERIC_DATE: Final = re.compile(
    r"(?<![\w/.-])(?P<first>\d{1,2})(?P<mark>[/-])(?P<second>\d{1,2})(?P=mark)(?:19|20)\d{2}(?![\w/-])"
)
_MAX_DATES: Final = 5_000
_CURRENCY_WORDS: Final = "|".join(
    sorted((CODES - WORDS_TOO) | {sign for sign in SIGNS if sign.isalpha()}, key=len)
)
_CURRENCY_MARKS: Final = "|".join(
    re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True) if not sign.isalpha()
)
_CURRENCY: Final = re.compile(rf"(?<![^\W\d])(?:{_CURRENCY_WORDS})(?!\w)|{_CURRENCY_MARKS}")
_MAX_CURRENCIES: Final = 2_000


class Conventions(Struct, frozen=True, kw_only=True):
    """What decides between two readings.

    Attributes:
        language: the one of most of the document's words; without such words, the request's first.
        currency: the only one that the document names.
        date_order: of numeric dates with slashes or hyphens; None when the document does not show it.
    """

    language: WrittenLanguage
    currency: str | None
    date_order: DateOrder | None


def conventions_of(texts: Sequence[str], languages: Sequence[Language]) -> Conventions:
    """Determine the conventions of a document.

    Args:
        languages: of the request, the most likely one first.
    """
    language = _language_of(texts) or languages[0]
    return Conventions(
        language=language, currency=only_currency(texts), date_order=_date_order(texts, language)
    )


def only_currency(texts: Sequence[str]) -> str | None:
    """Return the currency of pages that name a single one, else None."""
    found = {
        SIGNS.get(match.group(), match.group())
        for text in texts
        for match in islice(_CURRENCY.finditer(text), _MAX_CURRENCIES)
    }
    return found.pop() if len(found) == 1 else None


def _language_of(texts: Sequence[str]) -> WrittenLanguage | None:
    counts = dict.fromkeys(_WORDS, 0)
    words = (match.group().lower() for text in texts for match in _WORD.finditer(text))
    for word in islice(words, _MAX_WORDS):
        language = _LANGUAGE_OF.get(word)
        if language is not None:
            counts[language] += 1
    most = max(counts.values())
    best = [language for language, count in counts.items() if count == most]
    return best[0] if len(best) == 1 else None


def _date_order(texts: Sequence[str], language: WrittenLanguage) -> DateOrder | None:
    """Return the order that the document's unmistakable dates show; without any, only English has two."""
    shown: set[DateOrder] = set()
    dates = (match for text in texts for match in _NUMERIC_DATE.finditer(text))
    for match in islice(dates, _MAX_DATES):
        first, second = int(match["first"]), int(match["second"])
        if second <= 12 < first <= 31:
            shown.add("day first")
        elif first <= 12 < second <= 31:
            shown.add("month first")
    if len(shown) == 1:
        return shown.pop()
    return None if shown or language == "en" else "day first"
