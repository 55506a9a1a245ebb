"""Rules that depend on the language: its detection, prices, ratings, calls to action and sentences."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from selectolax.lexbor import LexborNode

from signalbox_pipelines.ad_creative.contract import Language
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES, starts_with_call
from signalbox_pipelines.ad_creative.messages import PageLanguage
from signalbox_pipelines.ad_creative.page.product_data import Offer, Rating

_VIETNAMESE: Final = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_LETTERS: Final[tuple[tuple[PageLanguage, re.Pattern[str]], ...]] = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
)
_HAN_LANGUAGES: Final = frozenset({"ja", "ko", "zh", "zh-Hant"})
_SYMBOLS: Final = {
    "USD": "$", "EUR": "€", "GBP": "£", "AUD": "A$", "CAD": "C$", "SGD": "S$", "JPY": "¥", "INR": "₹",
    "ILS": "₪", "KRW": "₩", "THB": "฿", "BRL": "R$", "TWD": "NT$", "HKD": "HK$", "NZD": "NZ$", "PHP": "₱",
}  # fmt: skip
_WORTH_SHOWING: Final = Decimal("0.7")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…؟।])\s+|(?<=[。！？])")


def detect_language(html: LexborNode | None, *, sample: str, wanted: Language) -> PageLanguage:
    """Return the requested language, else that of the page.

    Letters that are used by one language of the table decide. Then the `lang` attribute, then Vietnamese
    letters. English when the page is in a language that the table lacks.
    """
    if wanted != "auto":
        return wanted
    declared = ((html.attributes.get("lang") if html else None) or "").strip().lower().replace("_", "-")
    base = declared.partition("-")[0]
    stated = _table_language(declared)
    guessed = _guess_by_letters(sample)
    if guessed is not None and base in ("", "en", "vi", guessed):
        return stated if stated == "zh-Hant" and guessed == "zh" else guessed
    if guessed in _HAN_LANGUAGES and stated in _HAN_LANGUAGES:
        return "ja" if guessed == "ja" else stated
    if stated is not None and stated != "en":
        return stated
    if base in ("", "en") and len(_VIETNAMESE.findall(sample)) > max(2, len(sample) // 25):
        return "vi"
    return "en"


def is_call_to_action(text: str, language: PageLanguage) -> bool:
    """Whether a text calls to buy or to contact the seller, in the page's language, or is the default one."""
    return text == PHRASES[language].details or starts_with_call(text, language)


def format_offer(offer: Offer | None, language: PageLanguage) -> str:
    """Format the price of an offer; `from $14.50` for the lowest of several, empty without one."""
    if offer is None:
        return ""
    price = format_price(f"{offer.price:f}", offer.currency, language)
    return PHRASES[language].lowest.format(price=price) if price and offer.is_lowest else price


def format_price(amount: str, currency: str, language: PageLanguage) -> str:
    """Format a price by the rules of the language (`189.000 ₫`, `$14.50`); empty for an invalid amount."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return ""
    if not value.is_finite() or value <= 0:
        return ""
    phrases, code = PHRASES[language], currency.upper()
    is_integral = value == value.to_integral_value()
    number = f"{value:,.0f}" if is_integral else f"{value:,.2f}"
    number = number.translate(str.maketrans(",.", phrases.group + phrases.decimal))
    if code == "VND":
        return f"{number} ₫"
    symbol = "¥" if code == "CNY" and language == "zh" else _SYMBOLS.get(code)
    if symbol and not phrases.symbol_last:
        return f"{symbol}{number}"
    return f"{number} {symbol or code}".strip()


def format_rating(rating: Rating | None, language: PageLanguage) -> str:
    """Format a rating (`4.8`, in Vietnamese `4,8`); empty when it is too low to advertise with."""
    if rating is None or rating.value < rating.best * _WORTH_SHOWING:
        return ""
    return f"{rating.value:.1f}".replace(".", PHRASES[language].decimal)


def first_sentence(text: str, *, longest: int) -> str:
    """Return the first sentence; empty if it is longer than `longest` characters."""
    sentence = _SENTENCE_END.split(text.strip(), maxsplit=1)[0].strip()
    return sentence if 0 < len(sentence) <= longest else ""


def _table_language(declared: str) -> PageLanguage | None:
    """Return the language of the table for a `lang` attribute; None if it has none."""
    base, *subtags = declared.split("-")
    if base == "zh" and {"hant", "tw", "hk", "mo"} & set(subtags):
        return "zh-Hant"
    return next((language for language in PHRASES if language == {"iw": "he"}.get(base, base)), None)


def _guess_by_letters(sample: str) -> PageLanguage | None:
    """Return the language whose letters make up a fifth of a text; kana and Hangul count before Han."""
    letters = sum(character.isalpha() for character in sample)
    return next(
        (language for language, pattern in _LETTERS if len(pattern.findall(sample)) * 5 > letters), None
    )
