"""Converts an invoice to the portal's JSON: the row of a list, and the detail with its lines."""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Raw

from signalbox_devstack.emulators.portal.invoices import Invoice, InvoiceLine, tax_of

Row = Mapping[str, object]
_HANOI: Final = timedelta(hours=7)
_CODED: Final = 5
_EMPTY: Final = dict.fromkeys(
    re.findall(
        r"\w+",
        "bhphap cttkhac dknlbke dksbke hdxkhau hdxkptquan hdktngay hdktso htttoan ladhddt lhdclquan lhdgoc "
        "mkhang nbsdthoai "
        "nbdctdtu nbfax nbwebsite nbhdktngay nbhdktso nbtnvchuyen nblddnbo nbptvchuyen nmdctdtu nmsdthoai "
        "nmstkhoan nmtnhang "
        "nmtnmua nmcmnd nmddvchden nmtgvchdden nmtgvchddi nmtnvchuyen nmfax nmwebsite pvhang pvhdong sbke "
        "tgtphi tlhdon unhiem "
        "xnhang xuly gchu gchdgoc tgtkcthue tgtkhac ttcktmai ttkmai ttnban ttnmua ttoan tttbao "
        "tttphi ",
    )
)
"""Members that are null in nearly every row. The portal sends about 130; these and those below are known."""


def row(invoice: Invoice) -> Row:
    """One invoice in a list; `hdhhdvu` (its lines) is null."""
    at = _midnight(invoice.slot.day)
    signed = at + timedelta(hours=9, seconds=invoice.number % 3_600)
    return {
        **_EMPTY,
        "id": str(UUID(bytes=_digest(invoice, "id")[:16], version=4)),
        **_parties(invoice),
        **_numbers(invoice),
        "tdlap": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        **dict.fromkeys(("nky", "ntao", "ntnhan", "ncnhat"), f"{signed:%Y-%m-%dT%H:%M:%S}.123Z"),
        "ncma": f"{at + timedelta(hours=9, minutes=1):%Y-%m-%dT%H:%M:%S}.456Z"
        if invoice.status == _CODED
        else None,
        "thlap": invoice.slot.day.year * 100 + invoice.slot.day.month,
        **_money(invoice),
        **_link(invoice),
        "hsgoc": str(UUID(bytes=_digest(invoice, "file")[:16], version=4)) if invoice.has_original else None,
        "hsgcma": None,
        **_marks(invoice),
        "hdhhdvu": None,
    }


def detail(invoice: Invoice) -> Row:
    """The row with its lines. Invoices without a code (`ttxly` 6) have none."""
    if invoice.status == 6:
        return row(invoice)
    lines = [_line(line, place, invoice) for place, line in enumerate(invoice.lines, start=1)]
    return {**row(invoice), "hdhhdvu": lines}


def tax_code_of(invoice: Invoice) -> str | None:
    """The code assigned by the tax authority: 34 hexadecimal digits, or None."""
    return _digest(invoice, "code").hex()[:34].upper() if invoice.status in (_CODED, 8) else None


def number_text(amount: int) -> bytes:
    """The exponent notation that the portal uses for some large numbers: 14727778 becomes 1.4727778E7."""
    digits = str(abs(amount))
    kept = digits.rstrip("0") or "0"
    return f"{'-' if amount < 0 else ''}{kept[0]}.{kept[1:] or '0'}E{len(digits) - 1}".encode()


def in_words(amount: int) -> str:
    return f"{amount:,} đồng".replace(",", ".")


def _parties(invoice: Invoice) -> Row:
    seller, buyer = invoice.seller, invoice.buyer
    return {
        "nbmst": seller.mst,
        "nbten": seller.name,
        "nbdchi": seller.address,
        "nbstkhoan": f"1900{seller.mst[:9]}",
        "nbtnhang": "Ngân hàng Thử nghiệm",
        "nmmst": buyer.mst if buyer else None,
        "nmten": buyer.name if buyer else "Khách lẻ",
        "nmdchi": buyer.address if buyer else None,
    }


def _numbers(invoice: Invoice) -> Row:
    return {
        "khmshdon": invoice.form,
        "khhdon": invoice.series,
        "shdon": invoice.number,
        "tthai": invoice.state,
        "ttxly": invoice.status,
        "mhdon": tax_code_of(invoice),
        "hdon": "01",
        "thdon": "Hóa đơn điện tử giá trị gia tăng",
        "pban": "2.1.0",
        "cqt": "0100",
        "msttcgp": "0999999999",
        "tvandnkntt": "0999999999",
        "ngcnhat": "sim",
        "thtttoan": "TM/CK",
        "dvtte": "VND",
        "tgia": 1.0,
    }


def _money(invoice: Invoice) -> Row:
    def number(amount: int) -> object:
        return Raw(number_text(amount)) if abs(amount) >= 10_000_000 and invoice.number % 4 == 0 else amount

    return {
        "tgtcthue": number(invoice.amount),
        "tgtthue": number(invoice.tax),
        "tgtttbso": number(invoice.total),
        "tgtttbchu": in_words(invoice.total),
        "thttltsuat": [
            {"tsuat": item.rate, "thtien": number(item.amount), "tthue": item.tax, "gttsuat": None}
            for item in invoice.sums
        ],
        "thttlphi": [],
    }


def _link(invoice: Invoice) -> Row:
    link = invoice.link
    return {
        "khmshdgoc": invoice.form if link else None,
        "khhdgoc": link.series if link else None,
        "shdgoc": link.number if link else None,
        "tdlhdgoc": f"{_midnight(link.day):%Y-%m-%dT%H:%M:%SZ}" if link else None,
        "tthdclquan": link is not None,
        "hdonLquans": [],
    }


def _marks(invoice: Invoice) -> Row:
    signed = f"{_midnight(invoice.slot.day) + timedelta(hours=9):%Y-%m-%dT%H:%M:%S}"
    signature = {
        "Subject": f"CN={invoice.seller.name},UID=MST:{invoice.seller.mst}",
        "SerialNumber": _digest(invoice, "serial").hex()[:32].upper(),
        "Issuer": "CN=SIMULATED CA, not a real authority",
        "NotBefore": "2026-01-01T00:00:00",
        "NotAfter": "2028-01-01T00:00:00",
        "SigningTime": signed,
    }
    return {
        "nbcks": msgspec.json.encode(signature).decode(),
        "cqtcks": msgspec.json.encode({**signature, "Subject": "CN=Cục Thuế (simulated)"}).decode()
        if invoice.status == _CODED
        else None,
        "qrcode": f"00020101021202{invoice.seller.mst}{invoice.series}{invoice.number}",
        "ttkhac": [
            {
                "ttruong": "Mã tra cứu",
                "kdlieu": "string",
                "dlieu": _digest(invoice, "search").hex()[:12].upper(),
            }
        ],
        "ttttkhac": [],
        "nbttkhac": [],
        "nmttkhac": [],
    }


def _line(line: InvoiceLine, place: int, invoice: Invoice) -> Row:
    percent = int(line.rate[:-1]) if line.rate.endswith("%") else 0
    return {
        "idhdon": str(UUID(bytes=_digest(invoice, "id")[:16], version=4)),
        "id": str(UUID(bytes=_digest(invoice, f"line {place}")[:16], version=4)),
        "stt": place,
        "sxep": place,
        "tchat": 1,
        "ten": line.name,
        "dvtinh": line.unit,
        "sluong": line.quantity,
        "dgia": line.price,
        "thtien": line.amount,
        "stckhau": None,
        "tlckhau": None,
        "ltsuat": line.rate,
        "tsuat": percent / 100,
        "tthue": tax_of(line.amount, line.rate) if place % 2 else None,
        "thtcthue": line.amount,
        "dvtte": "VND",
        "tgia": 1.0,
        "ttkhac": [],
        "tthhdtrung": [],
    }


def _midnight(day: date) -> datetime:
    """00:00 of that day in Hanoi, in UTC."""
    return datetime.combine(day, time()) - _HANOI


def _digest(invoice: Invoice, use: str) -> bytes:
    return hashlib.blake2b(f"{use}/{invoice.key}/{invoice.slot.kind.code}".encode(), digest_size=32).digest()
