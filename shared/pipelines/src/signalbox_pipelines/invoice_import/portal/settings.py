"""Where the portal is and how it may be called: from the worker's environment, as nobody promises any of it."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.settings import read_settings

PREFIX: Final = "SIGNALBOX_WORKER_PORTAL"
REAL_URL: Final = "https://hoadondientu.gdt.gov.vn/api"
"""For documentation and messages: a worker calls no portal that its operator did not name."""

Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
AtOnce = Annotated[int, Meta(ge=1, le=50)]
Seconds = Annotated[float, Meta(gt=0, le=300)]


class PortalSettings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_WORKER_PORTAL_<FIELD>`.

    Attributes:
        url: the base address, up to and without the slash before `captcha`.
        page_size: rows a list page to begin with; smaller ones follow when the portal cannot send them.
        query_spacing_ms, query_in_flight: between the starts of a taxpayer's lists and details, and how many at once.
        export_spacing_ms, export_in_flight: the same for originals.
        query_timeout_s, export_timeout_s: the longest silence; the portal swallows requests now and then.
        cash_register_export: clients disagree on how the cash register's originals are fetched.
        captcha_solver: `module:function` from the picture's SVG to its text; a person unless given.
    """

    url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+(/\S*)?$")] | None = None
    page_size: Annotated[int, Meta(ge=1, le=500)] = 50
    query_spacing_ms: Milliseconds = 800
    query_in_flight: AtOnce = 2
    export_spacing_ms: Milliseconds = 300
    export_in_flight: AtOnce = 6
    query_timeout_s: Seconds = 12.0
    export_timeout_s: Seconds = 10.0
    cash_register_export: Literal["GET", "POST"] = "GET"
    captcha_solver: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None


def portal_settings(environ: Mapping[str, str]) -> PortalSettings:
    """Raises: InvalidInput: a variable is wrong or unknown; the message names it."""
    return read_settings(PortalSettings, prefix=PREFIX, environ=environ)


def address_of(settings: PortalSettings) -> str:
    """The base address.

    Raises:
        InvalidInput: the operator named none.
    """
    if settings.url is None:
        raise InvalidInput(
            f"this worker knows no e-invoice portal: set {PREFIX}_URL (the real one: {REAL_URL})",
            field=f"{PREFIX}_URL",
        )
    return settings.url.rstrip("/")
