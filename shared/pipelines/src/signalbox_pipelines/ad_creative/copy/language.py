"""Small facts of the two languages: telling them apart, prices, calls to action, sentences."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from selectolax.lexbor import LexborNode

from signalbox_pipelines.ad_creative.contract import Language
from signalbox_pipelines.ad_creative.messages import PageLanguage

_VIETNAMESE: Final = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "AUD": "A$", "CAD": "C$", "SGD": "S$", "JPY": "¥"}
CALL_VERBS: Final = {
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
DEFAULT_CALL: Final = {"en": "See details", "vi": "Xem chi tiết"}


def language_of(html: LexborNode | None, *, sample: str, wanted: Language) -> PageLanguage:
    """The language asked for, else the page's `lang`, else by the letters only Vietnamese has."""
    if wanted != "auto":
        return wanted
    declared = ((html.attributes.get("lang") if html else None) or "").lower()
    if declared.startswith("vi"):
        return "vi"
    return "vi" if len(_VIETNAMESE.findall(sample)) > max(2, len(sample) // 25) else "en"


def is_vietnamese(text: str) -> bool:
    return bool(_VIETNAMESE.search(text))


def is_call(text: str) -> bool:
    """Whether a text begins with (or holds) a verb that asks to act, in either language."""
    words = text.lower()
    return any(
        re.search(rf"(?:^|\s){re.escape(verb)}(?:\s|$)", words)
        for verbs in CALL_VERBS.values()
        for verb in verbs
    )


def format_price(amount: str, currency: str, language: PageLanguage) -> str:
    """`189.000 ₫`, `$14.50`, `690 €`: as people of that language write it; nothing when the page gives no number."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return ""
    if not value.is_finite() or value <= 0:
        return ""
    whole = value == value.to_integral_value()
    number = f"{value:,.0f}" if whole else f"{value:,.2f}"
    if language == "vi":
        number = number.translate(str.maketrans(",.", ".,"))
    code = currency.upper()
    if code == "VND":
        return f"{number} ₫"
    symbol = _SYMBOLS.get(code)
    return f"{symbol}{number}" if symbol else f"{number} {code}".strip()


def format_rating(text: str, language: PageLanguage) -> str:
    """`4.8`, in Vietnamese `4,8`; nothing for what is no rating out of five."""
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return ""
    if not (value.is_finite() and 0 < value <= 5):
        return ""
    return f"{value:.1f}".replace(".", "," if language == "vi" else ".")


def first_sentence(text: str, *, longest: int) -> str:
    """The first sentence, or nothing when it is longer than `longest` characters."""
    sentence = re.split(r"(?<=[.!?…])\s+", text.strip(), maxsplit=1)[0].strip()
    return sentence if 0 < len(sentence) <= longest else ""
