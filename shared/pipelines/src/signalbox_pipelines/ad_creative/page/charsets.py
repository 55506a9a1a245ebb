"""Decodes pages and style sheets by the labels of the Encoding Standard, as browsers do. Pure."""

import re
from typing import Final

import webencodings

_DECLARED: Final = re.compile(rb'<meta[^>]{0,300}charset=["\']?([\w-]{1,40})', re.IGNORECASE)


def decode_page(body: bytes, charset: str | None) -> str:
    """Decode a page by its byte order mark, the header's charset, its own declaration, else as UTF-8."""
    declared = _DECLARED.search(body[:2048])
    return decode_text(body, charset, declared.group(1).decode() if declared else None)


def decode_text(body: bytes, *labels: str | None) -> str:
    """Decode with the first known label that fits without errors, else as UTF-8 with replacements."""
    marked = "utf-16" if body.startswith((b"\xff\xfe", b"\xfe\xff")) else None
    for label in (marked, *labels, "utf-8"):
        encoding = webencodings.lookup(label) if label else None
        if encoding is not None:
            try:
                text, _ = encoding.codec_info.decode(body)
                return str(text).removeprefix("\ufeff")
            except UnicodeDecodeError:
                continue
    return body.decode("utf-8", "replace")
