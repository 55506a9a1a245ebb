"""Generates the text of invented papers with the facts that a reader must find.

Deterministic; check digits are valid.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, Literal

from msgspec import Struct
from stdnum.iso7064 import mod_97_10

Language = Literal["vi", "en"]
Fact = tuple[str, str]
"""Type and normalized value, as the pipeline returns them."""

_MST_WEIGHTS: Final = (31, 29, 23, 19, 17, 13, 7, 5, 3)
_FIRMS_VI: Final = (
    "Công ty TNHH Sương Mai",
    "Công ty Cổ phần Gỗ Bình Minh",
    "Công ty TNHH Vận tải Hải Vân",
    "Công ty Cổ phần Giấy An Hòa",
)
_FIRMS_EN: Final = (
    "Northgate Tools Ltd",
    "Blue Harbour Foods Ltd",
    "Wren & Oak Furniture",
    "Fairfield Paper Company",
)
_GOODS_VI: Final = (
    "Cà phê rang xay 500 g",
    "Bàn gỗ sồi",
    "Giấy in khổ A4",
    "Dịch vụ vận chuyển",
    "Đèn bàn",
    "Ghế văn phòng",
)
_GOODS_EN: Final = (
    "Oak desk",
    "Office chair",
    "Paper, A4, 500 sheets",
    "Delivery service",
    "Desk lamp",
    "Steel shelf",
)


class Paper(Struct, frozen=True, kw_only=True):
    """One page: title, lines, and the facts in them."""

    kind: str
    language: Language
    title: str
    lines: tuple[str, ...]
    facts: tuple[Fact, ...]


def write_paper(number: int, seed: int) -> Paper:
    """The paper with this number, in turn a Vietnamese and an English invoice and letter."""
    dice = random.Random(f"{seed}/{number}")
    makers: tuple[Callable[[random.Random, int], Paper], ...] = (
        _invoice_vi,
        _invoice_en,
        _letter_vi,
        _letter_en,
    )
    return makers[number % len(makers)](dice, number)


def _invoice_vi(dice: random.Random, number: int) -> Paper:
    day, mst, phone = (
        _day(dice),
        _mst(dice),
        f"09{dice.randrange(10, 99)} {dice.randrange(100, 999)} {dice.randrange(100, 999)}",
    )
    goods = [
        (name, dice.randrange(1, 20), dice.randrange(20, 900) * 1000) for name in dice.sample(_GOODS_VI, 3)
    ]
    total = sum(count * price for _, count, price in goods)
    lines = [
        f"Số: {number:07}    Ký hiệu: 1C26TAA",
        f"Ngày {day.day:02} tháng {day.month:02} năm {day.year}",
        f"Đơn vị bán hàng: {dice.choice(_FIRMS_VI)}",
        f"Mã số thuế: {mst}",
        f"Điện thoại: {phone}",
        f"Email: ketoan{number}@suongmai.example.vn",
        "Người mua hàng: Nguyễn Thị Lan",
        *(f"{name}: {count} x {_dong(price)} đ" for name, count, price in goods),
        "Thuế suất GTGT: 10 %",
        f"Tổng tiền thanh toán: {_dong(total)} đ",
    ]
    facts = [("date", day.isoformat()), ("tax_id", mst), ("phone", "+84" + phone.replace(" ", "")[1:])]
    facts += [("email", f"ketoan{number}@suongmai.example.vn"), ("amount", str(total))]
    facts += [("amount", str(price)) for _, _, price in goods]
    return Paper(
        kind="invoice",
        language="vi",
        title="HÓA ĐƠN GIÁ TRỊ GIA TĂNG",
        lines=tuple(lines),
        facts=tuple(facts),
    )


def _invoice_en(dice: random.Random, number: int) -> Paper:
    day, due = _day(dice), _day(dice)
    iban, vat = _iban(dice), _vat(dice)
    goods = [(name, dice.randrange(1, 9), dice.randrange(15, 400)) for name in dice.sample(_GOODS_EN, 3)]
    total = sum(count * price for _, count, price in goods)
    lines = [
        f"Invoice number: {number:06}",
        f"Date: {day.day} {day:%B} {day.year}",
        f"Due date: {due.isoformat()}",
        f"{dice.choice(_FIRMS_EN)}, VAT {vat}",
        "Bill to: Riverside School",
        *(f"{name}, {count} pieces, unit price EUR {price}.00" for name, count, price in goods),
        f"Amount due: EUR {total:,}.00",
        f"IBAN: {' '.join(iban[start : start + 4] for start in range(0, len(iban), 4))}",
        f"Questions: billing{number}@northgate.example.com",
    ]
    facts = [
        ("date", day.isoformat()),
        ("date", due.isoformat()),
        ("iban", iban),
        ("vat", vat),
        ("amount", f"{total}.00"),
    ]
    facts += [("email", f"billing{number}@northgate.example.com")]
    facts += [("amount", f"{price}.00") for _, _, price in goods]
    return Paper(kind="invoice", language="en", title="INVOICE", lines=tuple(lines), facts=tuple(facts))


def _letter_vi(dice: random.Random, number: int) -> Paper:
    day, meeting = _day(dice), _day(dice)
    lines = [
        f"Hà Nội, ngày {day.day:02} tháng {day.month:02} năm {day.year}",
        "Kính gửi: Quý khách hàng",
        "V/v: thư mời tham dự buổi giới thiệu sản phẩm",
        "Chúng tôi xin mời Quý khách tới dự buổi giới thiệu vào "
        f"{meeting.day:02}/{meeting.month:02}/{meeting.year}",
        "tại văn phòng của chúng tôi, từ chín giờ sáng đến mười một giờ.",
        f"Xin vui lòng trả lời về địa chỉ moi{number}@suongmai.example.vn trước ngày họp.",
        "Trân trọng,",
        "Trần Văn Minh, Giám đốc",
    ]
    facts = (
        ("date", day.isoformat()),
        ("date", meeting.isoformat()),
        ("email", f"moi{number}@suongmai.example.vn"),
    )
    return Paper(kind="letter", language="vi", title=dice.choice(_FIRMS_VI), lines=tuple(lines), facts=facts)


def _letter_en(dice: random.Random, number: int) -> Paper:
    day = _day(dice)
    lines = [
        f"{day:%B} {day.day}, {day.year}",
        "Dear Ms Taylor,",
        "We are writing to tell you that our office will move to a new building this autumn.",
        "Nothing changes for your orders, and every parcel will reach you as before.",
        "You can reach us at any time at +44 20 7946 0958",
        f"or by mail to office{number}@harbour.example.com if you have a question.",
        "Kind regards,",
        "Alan Hughes",
    ]
    facts = (
        ("date", day.isoformat()),
        ("email", f"office{number}@harbour.example.com"),
        ("phone", "+442079460958"),
    )
    return Paper(kind="letter", language="en", title=dice.choice(_FIRMS_EN), lines=tuple(lines), facts=facts)


def _day(dice: random.Random) -> date:
    return date(2025, 1, 1) + timedelta(days=dice.randrange(700))


def _dong(amount: int) -> str:
    return f"{amount:,}".replace(",", ".")


def _mst(dice: random.Random) -> str:
    while True:
        stem = f"{dice.randrange(1, 64):02}{dice.randrange(10**7 - 1):07}"
        check = 10 - sum(weight * int(digit) for weight, digit in zip(_MST_WEIGHTS, stem, strict=True)) % 11
        if 0 <= check <= 9:
            return f"{stem}{check}"


def _iban(dice: random.Random) -> str:
    stem = f"{dice.randrange(10**8):08}{dice.randrange(10**10):010}"
    check = mod_97_10.calc_check_digits(f"{stem}DE")
    return f"DE{check}{stem}"


def _vat(dice: random.Random) -> str:
    """A Belgian VAT number: its last two digits are 97 minus the remainder modulo 97."""
    stem = f"0{dice.randrange(2, 10)}{dice.randrange(10**6):06}"
    return f"BE{stem}{97 - int(stem) % 97:02}"
