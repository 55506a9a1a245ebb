"""The captcha: redrawn from its outlines alone, so that it can contain nothing else; and who reads it."""

import base64
import importlib
import re
from collections.abc import Callable
from typing import Final, Protocol, cast

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.portal.faults import UnexpectedResponse

_PATH: Final = re.compile(r"<path\b([^>]*)>")
_DRAWN: Final = re.compile(r'\bd="([MLHVCSQTAZmlhvcsqtaz0-9eE+\-., \n]+)"')
_COLOUR: Final = re.compile(r'\b(fill|stroke)="(none|#[0-9A-Fa-f]{3,6})"')
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_MAX_PATHS: Final = 40
_MAX_CHARS: Final = 40_000


class CaptchaSolver(Protocol):
    """Reads the image of a captcha. The default is a person; nothing else is intended for a real portal."""

    async def solve(self, svg: str) -> str | None:
        """Return the characters, or None to ask a person."""
        ...


class AskPerson:
    """Leaves the captcha to a person, whom the run asks."""

    async def solve(self, svg: str) -> str | None:  # noqa: ARG002 - required by the protocol
        return None


class ConfiguredSolver:
    """Calls a function from SVG to text that the operator configured; where it fails, a person is asked."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function

    async def solve(self, svg: str) -> str | None:
        try:
            return self._function(svg)
        except ValueError:
            return None


def load_solver(path: str | None) -> CaptchaSolver:
    """Load the solver at `module:function`, or the one that asks a person.

    Raises:
        InvalidInput: it cannot be imported.
    """
    if path is None:
        return AskPerson()
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        variable = "SIGNALBOX_WORKER_PORTAL_CAPTCHA_SOLVER"
        raise InvalidInput(
            f"{variable}: {path!r} cannot be imported on this worker", field=variable
        ) from error
    return ConfiguredSolver(cast("Callable[[str], str]", function))


def redraw(svg: str) -> str:
    """Build a new SVG from the paths: outline and colour only, coordinates rounded to a tenth.

    Raises:
        UnexpectedResponse: there are no paths.
    """
    paths = [_clean(attributes) for attributes in _PATH.findall(svg[:_MAX_CHARS])[:_MAX_PATHS]]
    drawn = "".join(path for path in paths if path)
    if not drawn:
        raise UnexpectedResponse("the portal's captcha has no outlines; its format has changed")
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


def data_uri(svg: str) -> str:
    """Return `data:image/svg+xml;base64,…` for an `<img>`, where scripts do not run."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
