"""Discovers installed pipelines through entry points of the group `signalbox.pipelines`.

Loads contracts only, no workflow or activity code. What cannot be loaded is skipped and reported.
"""

import importlib
import importlib.util
import logging
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Final

from msgspec import Struct

from signalbox_core.pipeline.contract.spec import PipelineSpec

log = logging.getLogger(__name__)

GROUP: Final = "signalbox.pipelines"
_FORMS: Final = (
    "an entry point names a package with a module contract that has SPEC, a package of such packages,"
    " or module:SPEC"
)


class InstalledPipelines(Struct, frozen=True, kw_only=True):
    """What the entry points of this environment name.

    Attributes:
        pipelines: by name.
        problems: a sentence for each contract that was skipped; it names the entry point and the reason.
    """

    pipelines: Mapping[str, PipelineSpec]
    problems: tuple[str, ...] = ()


def discover() -> Mapping[str, PipelineSpec]:
    """Return every installed pipeline by name, children included. What cannot be loaded is logged."""
    return find_installed().pipelines


def find_installed() -> InstalledPipelines:
    """Return every installed pipeline, and why others were skipped, which is logged too.

    Never raises for a wrong entry point or contract, so that one cannot stop a gateway or worker.
    """
    search = _Search()
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        search.add(point)
    if search.problems:
        log.warning("some pipelines are not available", extra={"problems": search.problems})
    return InstalledPipelines(pipelines=search.found, problems=tuple(search.problems))


class _Search:
    def __init__(self) -> None:
        self.found: dict[str, PipelineSpec] = {}
        self.problems: list[str] = []

    def add(self, point: EntryPoint) -> None:
        """Add the contracts that an entry point names."""
        origin = f"entry point {point.name} = {point.value}"
        if point.dist is not None:
            origin += f" of {point.dist.name}"
        before = len(self.found), len(self.problems)
        # Not every build tool checks the form of a value, and to read the parts of a malformed one raises.
        if EntryPoint.pattern.match(point.value):
            self._add_module(origin, point)
        if (len(self.found), len(self.problems)) == before:
            self.problems.append(f"{origin}: it names no pipeline; {_FORMS}")

    def _add_module(self, origin: str, point: EntryPoint) -> None:
        if point.attr:
            self._attempt(origin, lambda: _specs_of(getattr(_load(point.module), point.attr)))
        else:
            self._attempt(origin, lambda: self._add_package(origin, _load(point.module)))

    def _add_package(self, origin: str, module: ModuleType) -> Iterable[PipelineSpec]:
        """Return the package's own contract and add those of its subpackages, each on its own."""
        for child in sorted(
            pkgutil.iter_modules(getattr(module, "__path__", ())), key=lambda item: item.name
        ):
            if child.ispkg:
                self._attempt(f"{module.__name__}.{child.name} ({origin})", _contract_in(module, child.name))
        return _contract_in(module)() if hasattr(module, "__path__") else _specs_of(module.SPEC)

    def _attempt(self, origin: str, load: Callable[[], Iterable[PipelineSpec]]) -> None:
        try:
            specs = list(load())
        except Exception as error:  # whatever a foreign module raises when it is imported
            log.exception("pipeline skipped", extra={"origin": origin})
            self.problems.append(f"{origin}: {_reason(error)}")
            return
        for spec in (item for given in specs for item in given.family):
            if spec.name not in self.found:
                self.found[spec.name] = spec
            elif self.found[spec.name] is not spec:
                self.problems.append(f"{origin}: pipeline {spec.name} is installed twice; the first is used")


def _load(module: str) -> ModuleType:
    return importlib.import_module(module)


def _contract_in(package: ModuleType, child: str = "") -> Callable[[], Iterable[PipelineSpec]]:
    name = f"{package.__name__}.{child}" if child else package.__name__

    def load() -> Iterable[PipelineSpec]:
        if importlib.util.find_spec(f"{name}.contract") is None:
            return ()
        return _specs_of(_load(f"{name}.contract").SPEC)

    return load


def _specs_of(value: object) -> Iterable[PipelineSpec]:
    found = value if isinstance(value, tuple | list) else (value,)
    for item in found:
        if not isinstance(item, PipelineSpec):
            raise TypeError(f"{item!r} is not a PipelineSpec; {_FORMS}")
    return found


def _reason(error: Exception) -> str:
    # A ValueError is the contract's own check, whose message names pipeline and remedy.
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
