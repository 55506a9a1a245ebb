"""Discovers installed pipelines through entry points of the group `signalbox.pipelines`."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Final

from signalbox_core.pipeline.contract.spec import PipelineSpec

GROUP: Final = "signalbox.pipelines"


def discover() -> Mapping[str, PipelineSpec]:
    """Return every installed pipeline by name: each subpackage with a `contract.SPEC`, and its children.

    Loads no workflow or activity code.

    Raises:
        ValueError: two pipelines have the same name.
    """
    found: dict[str, PipelineSpec] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        for spec in specs_in(importlib.import_module(point.module)):
            if spec.name in found:
                raise ValueError(f"pipeline {spec.name!r} is installed twice; the second is in {point.value}")
            found[spec.name] = spec
    return found


def specs_in(package: ModuleType) -> list[PipelineSpec]:
    """Return the contracts of a package's subpackages, sorted by name, each followed by its children."""
    specs: list[PipelineSpec] = []
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        name = f"{package.__name__}.{module.name}"
        if module.ispkg and importlib.util.find_spec(f"{name}.contract") is not None:
            spec: PipelineSpec = importlib.import_module(f"{name}.contract").SPEC
            specs += (spec, *spec.children)
    return specs
