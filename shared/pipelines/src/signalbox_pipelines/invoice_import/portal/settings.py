"""The portal's address and how fast it may be called, from the worker's environment."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.patterns import whole
from signalbox_core.settings import read_settings

PREFIX: Final = "SIGNALBOX_WORKER_PORTAL"
REAL_URL: Final = "https://hoadondientu.gdt.gov.vn/api"
"""For messages only: a worker calls no portal that its operator did not configure."""

Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
MaxInFlight = Annotated[int, Meta(ge=1, le=50)]
Seconds = Annotated[float, Meta(gt=0, le=300)]


class PortalSettings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_WORKER_PORTAL_<FIELD>`.

    Attributes:
        url: the base URL, without a slash at the end.
        page_size: rows per list page to start with; reduced when the portal cannot send as many.
        query_spacing_ms, query_in_flight: minimum time between the starts of list and detail calls of one
            taxpayer, and how many may run at once.
        export_spacing_ms, export_in_flight: the same for originals.
        query_timeout_s, export_timeout_s: how long the portal may send nothing; it drops requests sometimes.
        cash_register_export: how originals of cash registers are fetched; public clients disagree.
        captcha_solver: `module:function` from SVG to text; a person reads the captcha when it is not set.
    """

    url: Annotated[str, Meta(pattern=whole(r"https?://[^/\s]+(/\S*)?"))] | None = None
    page_size: Annotated[int, Meta(ge=1, le=500)] = 50
    query_spacing_ms: Milliseconds = 800
    query_in_flight: MaxInFlight = 2
    export_spacing_ms: Milliseconds = 300
    export_in_flight: MaxInFlight = 6
    query_timeout_s: Seconds = 12.0
    export_timeout_s: Seconds = 10.0
    cash_register_export: Literal["GET", "POST"] = "GET"
    captcha_solver: Annotated[str, Meta(pattern=whole(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"))] | None = None


def read_portal_settings(environ: Mapping[str, str]) -> PortalSettings:
    """Read the settings.

    Raises:
        InvalidInput: a variable is invalid or unknown; the message names it.
    """
    return read_settings(PortalSettings, prefix=PREFIX, environ=environ)


def base_url(settings: PortalSettings) -> str:
    """Return the base URL.

    Raises:
        InvalidInput: it is not configured.
    """
    if settings.url is None:
        raise InvalidInput(
            f"no e-invoice portal is configured on this worker; set {PREFIX}_URL (the real one: {REAL_URL})",
            field=f"{PREFIX}_URL",
        )
    return settings.url.rstrip("/")
