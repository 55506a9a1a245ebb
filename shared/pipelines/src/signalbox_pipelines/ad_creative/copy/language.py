"""Rules for English and Vietnamese: language detection, prices, ratings, calls to action, sentences."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from selectolax.lexbor import LexborNode

from signalbox_pipelines.ad_creative.contract import Language
from signalbox_pipelines.ad_creative.messages import PageLanguage
from signalbox_pipelines.ad_creative.page.product_data import Offer, Rating

_VIETNAMESE: Final = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "AUD": "A$", "CAD": "C$", "SGD": "S$", "JPY": "¥"}
_CALLS_TO_ACTION: Final[Mapping[PageLanguage, re.Pattern[str]]] = {
    "en": re.compile(
        r"(?:shop|buy|order|pre-?order|book|reserve|try|choose your|contact|call|enquire|inquire)\b"
        r"|add to (?:cart|basket|bag)\b|get (?:it|yours|a quote|started|now)\b|request (?:a|your)\b",
        re.IGNORECASE,
    ),
    "vi": re.compile(
        r"(?:mua|đặt (?:mua|hàng|ngay|lịch|chỗ|trước)|chọn|thử|thêm vào|liên hệ|gọi|nhận (?:báo giá|tư vấn)"
        r"|đăng ký)(?!\w)",
        re.IGNORECASE,
    ),
}
"""Beginnings of calls to buy or to contact the seller."""
_WORTH_SHOWING: Final = Decimal("0.7")
DEFAULT_CALL_TO_ACTION: Final = {"en": "See details", "vi": "Xem chi tiết"}


def detect_language(html: LexborNode | None, *, sample: str, wanted: Language) -> PageLanguage:
    """Return the requested language, else that of the `lang` attribute, else guess from the letters."""
    if wanted != "auto":
        return wanted
    declared = ((html.attributes.get("lang") if html else None) or "").lower()
    if declared.startswith("vi"):
        return "vi"
    return "vi" if len(_VIETNAMESE.findall(sample)) > max(2, len(sample) // 25) else "en"


def is_call_to_action(text: str, language: PageLanguage) -> bool:
    """Whether a text calls to buy or to contact the seller, in the page's language, or is the default one."""
    return (
        text == DEFAULT_CALL_TO_ACTION[language] or _CALLS_TO_ACTION[language].match(text.strip()) is not None
    )


def format_offer(offer: Offer | None, language: PageLanguage) -> str:
    """Format the price of an offer; `from $14.50` for the lowest of several, empty without one."""
    if offer is None:
        return ""
    price = format_price(f"{offer.price:f}", offer.currency, language)
    if not (price and offer.is_lowest):
        return price
    return f"từ {price}" if language == "vi" else f"from {price}"


def format_price(amount: str, currency: str, language: PageLanguage) -> str:
    """Format a price by the rules of the language (`189.000 ₫`, `$14.50`); empty for an invalid amount."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return ""
    if not value.is_finite() or value <= 0:
        return ""
    is_integral = value == value.to_integral_value()
    number = f"{value:,.0f}" if is_integral else f"{value:,.2f}"
    if language == "vi":
        number = number.translate(str.maketrans(",.", ".,"))
    code = currency.upper()
    if code == "VND":
        return f"{number} ₫"
    symbol = _SYMBOLS.get(code)
    return f"{symbol}{number}" if symbol else f"{number} {code}".strip()


def format_rating(rating: Rating | None, language: PageLanguage) -> str:
    """Format a rating (`4.8`, in Vietnamese `4,8`); empty when it is too low to advertise with."""
    if rating is None or rating.value < rating.best * _WORTH_SHOWING:
        return ""
    return f"{rating.value:.1f}".replace(".", "," if language == "vi" else ".")


def first_sentence(text: str, *, longest: int) -> str:
    """Return the first sentence; empty if it is longer than `longest` characters."""
    sentence = re.split(r"(?<=[.!?…])\s+", text.strip(), maxsplit=1)[0].strip()
    return sentence if 0 < len(sentence) <= longest else ""
