"""Vietnamese tax codes: 10 digits for a company, 13 for a branch, 12 for a person or household. Pure."""

import re
from typing import Final

from stdnum.vn import mst

from signalbox_core.errors import InvalidInput
from signalbox_core.patterns import whole

PATTERN: Final = whole(r"[0-9]{10}(-?[0-9]{3})?|[0-9]{12}")
_PERSON: Final = re.compile(r"[0-9]{12}")
_BRANCH: Final = re.compile(r"[0-9]{10}-[0-9]{3}")


def check_tax_code(text: str, *, field: str = "tax_code") -> str:
    """Return the code as the portal writes it: 10 digits, `10-3` digits, or the 12 digits of a citizen id.

    Citizen ids are used as tax codes since July 2025.

    Raises:
        InvalidInput: with the field `field`: another format, or a wrong check digit.
    """
    code = text.strip().replace(" ", "")
    if _PERSON.fullmatch(code):
        # python-stdnum 2.2 supports companies only; a citizen id has no check digit.
        return code
    if not code.isascii() or not mst.is_valid(code):
        raise InvalidInput(
            f"tax code {text[:40]!r} is invalid: give 10 digits, 10-3 for a branch, or 12 for a person",
            field=field,
        )
    return str(mst.format(code))


def is_tax_code(text: str) -> bool:
    try:
        check_tax_code(text)
    except InvalidInput:
        return False
    return True


def same_taxpayer(code: str, other: str) -> bool:
    """Whether both codes belong to one taxpayer; the suffix of a branch is ignored."""
    return base_code(code) == base_code(other)


def base_code(code: str) -> str:
    """The code without the suffix of a branch."""
    plain = code.strip()
    return plain[:10] if _BRANCH.fullmatch(plain) else plain
