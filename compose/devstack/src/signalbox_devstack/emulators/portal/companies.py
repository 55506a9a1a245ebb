"""The companies on the portal: fictitious tax codes (MST), passwords and names, derived from a number."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from msgspec import Struct
from stdnum.vn import mst as tax_code

_STEM: Final = 990_100_001
"""No province has the prefix 99, so no real company has such a code."""
_PARTNER_STEM: Final = 995_000_001
_KINDS: Final = ("Công ty TNHH", "Công ty Cổ phần", "Công ty TNHH MTV", "Doanh nghiệp tư nhân")
_NAMES: Final = (
    "Sương Mai",
    "Gỗ Bình Minh",
    "Vận tải Hải Vân",
    "Giấy An Hòa",
    "Cơ khí Thành Đạt",
    "Thực phẩm Đồng Xanh",
    "In ấn Hoa Sen",
)
_TOWNS: Final = ("Hà Nội", "Đà Nẵng", "Cần Thơ", "Hải Phòng", "Huế", "Nha Trang")
_PEOPLE: Final = ("Hộ kinh doanh Nguyễn Thị Lan", "Trần Văn Minh", "Lê Thu Hà", "Phạm Quốc Bảo")
_BARE: Final = re.compile(r"(\d{10}|\d{12})(-\d{3})?")


class Party(Struct, frozen=True):
    """A seller or buyer. `mst` has 10 digits, 12 for a person, or 10 and a suffix of 3 for a branch."""

    mst: str
    name: str
    address: str


def companies(count: int) -> tuple[str, ...]:
    """The tax codes of the first `count` companies: 9901000019, 9901000026 …"""
    return tuple(islice(_codes(_STEM), count))


def password_of(mst: str) -> str:
    """The password of a simulated company. It protects nothing real."""
    return f"sim-{mst}"


def own_code(mst: str) -> str:
    """The tax code without the suffix of a branch."""
    found = _BARE.fullmatch(mst)
    return found[1] if found else mst


def has_cash_register(mst: str) -> bool:
    """Whether the company has cash-register invoices; every fifth has none."""
    return int(mst[:9]) % 5 != 0


def company(mst: str) -> Party:
    return _named(mst, int(mst[:9]))


@lru_cache(maxsize=1)
def partners() -> tuple[Party, ...]:
    """The trading partners of all companies: 36 companies, and 4 persons with codes of twelve digits."""
    firms = [_named(mst, number) for number, mst in enumerate(islice(_codes(_PARTNER_STEM), 36))]
    persons = [
        Party(f"0990900{number:05}", name, f"{number + 3} Trần Phú, {_TOWNS[number]}")
        for number, name in enumerate(_PEOPLE)
    ]
    return (*firms, *persons)


def _named(mst: str, number: int) -> Party:
    name = f"{_KINDS[number % len(_KINDS)]} {_NAMES[number % len(_NAMES)]} {number % 97 + 1}"
    return Party(mst, name, f"{number % 200 + 1} Lê Lợi, {_TOWNS[number % len(_TOWNS)]}")


def _codes(stem: int) -> Iterator[str]:
    while True:
        check = tax_code.calc_check_digit(str(stem))
        if len(check) == 1:  # one stem in eleven has no check digit
            yield f"{stem}{check}"
        stem += 1
