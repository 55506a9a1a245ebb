"""Currencies: the active codes of ISO 4217, the signs for them, and which are written without decimals."""

from collections.abc import Mapping
from typing import Final

_ACTIVE_CODES: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK
    LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
    OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF
    XPF YER ZAR ZMW ZWG
"""
CODES: Final = frozenset(_ACTIVE_CODES.split())
WORDS_TOO: Final = frozenset({"ALL", "CUP", "PEN", "TOP", "TRY", "MOP", "GEL", "LAK", "MAD", "SOS"})
"""Codes that are also words or abbreviations; a number without separators beside one is no amount."""

SIGNS: Final[Mapping[str, str]] = {
    "VNĐ": "VND",
    "đồng": "VND",
    "đ": "VND",
    "₫": "VND",
    "US$": "USD",
    "CA$": "CAD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "R$": "BRL",
    "A$": "AUD",
    "C$": "CAD",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₩": "KRW",
    "₹": "INR",
    "₽": "RUB",
    "₺": "TRY",
    "₴": "UAH",
    "฿": "THB",
    "₱": "PHP",
    "₪": "ILS",
    "₦": "NGN",
    "zł": "PLN",
    "Kč": "CZK",
}
AFTER_THE_NUMBER_ONLY: Final = frozenset({"đ", "đồng", "zł", "Kč"})

_WHOLE_ONLY: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"}
    | {"XAF", "XOF", "XPF"}
    # ISO 4217 gives these two decimals, but their smaller unit is out of use.
    | {"HUF", "IDR"}
)


def has_decimals(code: str) -> bool:
    """Whether amounts of the currency are written with decimal places."""
    return code not in _WHOLE_ONLY
