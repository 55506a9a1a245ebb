"""Vietnamese tax codes: 10 digits of a company, 13 of its branch, 12 of a person or household. Pure."""

import re
from typing import Final

from stdnum.vn import mst

from signalbox_core.errors import InvalidInput

PATTERN: Final = r"^([0-9]{10}(-?[0-9]{3})?|[0-9]{12})$"
_PERSON: Final = re.compile(r"[0-9]{12}")
_BRANCH: Final = re.compile(r"[0-9]{10}-[0-9]{3}")


def check_tax_code(text: str, *, field: str = "tax_code") -> str:
    """The code as the portal writes it: 10 digits, `10-3` digits, or the 12 digits of a citizen id (in use since July 2025).

    Raises:
        InvalidInput: naming `field`: another form, or a check digit that does not fit.
    """
    code = text.strip().replace(" ", "")
    if _PERSON.fullmatch(code):
        # python-stdnum 2.2 knows companies only; a citizen id has no check digit.
        return code
    if not code.isascii() or not mst.is_valid(code):
        raise InvalidInput(
            f"tax code {text[:40]!r} is none: 10 digits, 10-3 for a branch, or 12 for a person; check the digits",
            field=field,
        )
    return str(mst.format(code))


def is_tax_code(text: str) -> bool:
    try:
        check_tax_code(text)
    except InvalidInput:
        return False
    return True


def same_taxpayer(code: str, own: str) -> bool:
    """Whether both are one taxpayer: a branch's suffix does not count."""
    return head_of(code) == head_of(own)


def head_of(code: str) -> str:
    """The code without a branch's suffix."""
    plain = code.strip()
    return plain[:10] if _BRANCH.fullmatch(plain) else plain
