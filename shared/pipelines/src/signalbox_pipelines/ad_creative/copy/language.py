"""Rules for English and Vietnamese: language detection, prices, ratings, calls to action, sentences."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from selectolax.lexbor import LexborNode

from signalbox_pipelines.ad_creative.contract import Language
from signalbox_pipelines.ad_creative.messages import PageLanguage

_VIETNAMESE: Final = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "AUD": "A$", "CAD": "C$", "SGD": "S$", "JPY": "¥"}
CALL_TO_ACTION_VERBS: Final = {
    "en": (
        "shop",
        "buy",
        "order",
        "get",
        "try",
        "book",
        "choose",
        "discover",
        "start",
        "see",
        "join",
        "find",
        "add",
        "reserve",
        "learn",
    ),
    "vi": ("mua", "đặt", "chọn", "xem", "thử", "khám phá", "nhận", "đăng ký", "thêm", "tìm", "liên hệ"),
}
DEFAULT_CALL_TO_ACTION: Final = {"en": "See details", "vi": "Xem chi tiết"}


def detect_language(html: LexborNode | None, *, sample: str, wanted: Language) -> PageLanguage:
    """Return the requested language, else that of the `lang` attribute, else guess from the letters."""
    if wanted != "auto":
        return wanted
    declared = ((html.attributes.get("lang") if html else None) or "").lower()
    if declared.startswith("vi"):
        return "vi"
    return "vi" if len(_VIETNAMESE.findall(sample)) > max(2, len(sample) // 25) else "en"


def is_call_to_action(text: str) -> bool:
    """Whether a text contains a verb that calls to action, in either language."""
    words = text.lower()
    return any(
        re.search(rf"(?:^|\s){re.escape(verb)}(?:\s|$)", words)
        for verbs in CALL_TO_ACTION_VERBS.values()
        for verb in verbs
    )


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


def format_rating(text: str, language: PageLanguage) -> str:
    """Format a rating (`4.8`, in Vietnamese `4,8`); empty if it is not between 0 and 5."""
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return ""
    if not (value.is_finite() and 0 < value <= 5):
        return ""
    return f"{value:.1f}".replace(".", "," if language == "vi" else ".")


def first_sentence(text: str, *, longest: int) -> str:
    """Return the first sentence; empty if it is longer than `longest` characters."""
    sentence = re.split(r"(?<=[.!?…])\s+", text.strip(), maxsplit=1)[0].strip()
    return sentence if 0 < len(sentence) <= longest else ""
