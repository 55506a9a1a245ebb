"""The captcha: drawn anew from its outlines alone, so that what a browser shows can hold nothing else; and who reads it."""

import base64
import importlib
import re
from collections.abc import Callable
from typing import Final, Protocol, cast

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.portal.faults import Drift

_PATH: Final = re.compile(r"<path\b([^>]*)>")
_DRAWN: Final = re.compile(r'\bd="([MLHVCSQTAZmlhvcsqtaz0-9eE+\-., \n]+)"')
_COLOUR: Final = re.compile(r'\b(fill|stroke)="(none|#[0-9A-Fa-f]{3,6})"')
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_MAX_PATHS: Final = 40
_MAX_CHARS: Final = 40_000


class CaptchaSolver(Protocol):
    """Reads a captcha's picture. The default is a person, and for a real portal nothing else is meant."""

    async def solve(self, svg: str) -> str | None:
        """The characters, or None: ask a person."""
        ...


class PersonSolves:
    """Nobody here reads it; the run asks."""

    async def solve(self, svg: str) -> str | None:  # noqa: ARG002 - the protocol's
        return None


class ConfiguredSolver:
    """A function that the operator named, from SVG to text; what it cannot read, a person is asked."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function

    async def solve(self, svg: str) -> str | None:
        try:
            return self._function(svg)
        except ValueError:
            return None


def solver_named(place: str | None) -> CaptchaSolver:
    """The solver at `module:function`.

    Raises:
        InvalidInput: there is none.
    """
    if place is None:
        return PersonSolves()
    module, _, name = place.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        variable = "SIGNALBOX_WORKER_PORTAL_CAPTCHA_SOLVER"
        raise InvalidInput(f"{variable}: there is no {place!r} on this worker", field=variable) from error
    return ConfiguredSolver(cast("Callable[[str], str]", function))


def redrawn(svg: str) -> str:
    """The same outlines in a new picture: paths with a colour and nothing else, coordinates to a tenth.

    Raises:
        Drift: it is no picture of paths.
    """
    paths = [_clean(attributes) for attributes in _PATH.findall(svg[:_MAX_CHARS])[:_MAX_PATHS]]
    drawn = "".join(path for path in paths if path)
    if not drawn:
        raise Drift("the portal's captcha is not drawn as it is known to be")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40" viewBox="0 0 200 40">{drawn}</svg>'
    )


def _clean(attributes: str) -> str:
    drawn = _DRAWN.search(attributes)
    if drawn is None:
        return ""
    colours = " ".join(f'{name}="{value}"' for name, value in _COLOUR.findall(attributes))
    outline = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), drawn[1])
    return f'<path d="{outline}" {colours}/>'


def data_address(svg: str) -> str:
    """`data:image/svg+xml;base64,…`, for an `<img>`: scripts in it never run there."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
