"""Pipelines of the tests, installed for another process as a customer would install their own."""

import os
from pathlib import Path

TESTS = Path(__file__).parents[2]


def install_pipelines(folder: Path, name: str, entry_point: str) -> str:
    """Write the metadata of an installed package `name` with one entry point into a folder.

    Args:
        entry_point: a package of pipelines or `module:SPEC`, importable from the folder of the tests.

    Returns:
        The PYTHONPATH for the process.
    """
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[signalbox.pipelines]\n{name} = {entry_point}\n")
    return f"{folder}{os.pathsep}{TESTS}"
