"""The errors by which Pillow reports a damaged picture. Does not import Pillow."""

import struct
from typing import Final

DAMAGED_PICTURE: Final[tuple[type[Exception], ...]] = (
    *(OSError, ValueError, SyntaxError, EOFError),
    # Its parsers of headers do not check every value first: a TIFF without dimensions is a TypeError.
    *(TypeError, KeyError, IndexError, OverflowError, ZeroDivisionError, struct.error),
)
