"""`signalbox new`: write a pipeline that works, with its tests and a recorded run."""

import argparse
import base64
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import print_json
from signalbox_core.errors import Conflict, InvalidInput

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")
_BUILT_IN: Final = Path("shared/pipelines/src/signalbox_pipelines")


class Scaffold(Struct, frozen=True, kw_only=True):
    """Where the files of a new pipeline go.

    Attributes:
        package: the import path of its package.
        files: template → path below the root.
        histories: how its test names the folder of recorded runs.
        next_steps: the commands that try it.
    """

    package: str
    files: Mapping[str, str]
    histories: str
    next_steps: tuple[str, ...]


async def new(context: CommandContext, options: argparse.Namespace) -> int:
    """Write the files; no gateway is needed."""
    name: str = options.name
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is not a pipeline name: use lower case letters, digits and underscores", field="NAME"
        )
    root = Path(options.to) if options.to else Path() if options.in_tree else Path(distribution(name))
    scaffold = _in_tree(name) if options.in_tree else _own_package(name)
    if options.in_tree and not (root / _BUILT_IN).is_dir():
        raise InvalidInput(
            f"--in-tree: {root.resolve()} has no {_BUILT_IN}; change to the root of the repository",
            field="--in-tree",
        )
    written = _write(root, scaffold, name)
    if context.as_json:
        print_json(context.console, {"files": [str(path) for path in written]})
        return 0
    for path in written:
        context.print(str(path))
    context.print("\nnext:")
    for command in (*(() if options.in_tree else (f"cd {root}",)), *scaffold.next_steps):
        context.print(f"  {command}")
    return 0


def distribution(name: str) -> str:
    """The name of the pipeline's own distribution, and of its folder."""
    return name.replace("_", "-")


def _own_package(name: str) -> Scaffold:
    package = f"src/{name}"
    return Scaffold(
        package=name,
        files={
            "pyproject.toml": "pyproject.toml",
            "README.md": "README.md",
            **_package_files(package),
            "py.typed": f"{package}/py.typed",
            "test_pipeline.py": f"tests/test_{name}.py",
            "history.json": "tests/histories/approved.json",
        },
        histories='Path(__file__).parent / "histories"',
        next_steps=("pip install --no-deps --no-build-isolation -e .", "pytest"),
    )


def _in_tree(name: str) -> Scaffold:
    return Scaffold(
        package=f"signalbox_pipelines.{name}",
        files={
            **_package_files(str(_BUILT_IN / name)),
            "test_pipeline.py": f"tests/integration/{name}/test_{name}.py",
            "history.json": f"tests/histories/{name}/approved.json",
        },
        histories=f'Path(__file__).parents[2] / "histories" / "{name}"',
        next_steps=(f"pytest tests/integration/{name}",),
    )


def _package_files(folder: str) -> dict[str, str]:
    names = ("__init__.py", "contract.py", "activities.py", "workflow.py")
    return {name: f"{folder}/{name}" for name in names}


def _write(root: Path, scaffold: Scaffold, name: str) -> list[Path]:
    """Write every file, or none.

    Raises:
        Conflict: one of the files exists.
        InvalidInput: the folder is not writable.
    """
    texts = {root / path: _text(template, scaffold, name) for template, path in scaffold.files.items()}
    if taken := [path for path in texts if path.exists()]:
        raise Conflict(f"{taken[0]} exists; choose another name, or another folder with --to")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{root}: {error.strerror}; choose a folder you can write to") from error
    return list(texts)


def _text(template: str, scaffold: Scaffold, name: str) -> str:
    if template == "py.typed":
        return ""
    if template == "__init__.py":
        return f'"""The pipeline {name}."""\n'
    words = name.split("_")
    terms = {
        "newpipeline": name,
        "NewPipeline": "".join(word.capitalize() for word in words),
        "New pipeline": " ".join(words).capitalize(),
        "the_package": scaffold.package,
        "the_histories": scaffold.histories,
        "the-distribution": distribution(name),
    }
    text = (files("signalbox_client") / "scaffold" / f"{template}.txt").read_text(encoding="utf-8")
    return _renamed_history(text, terms) if template.endswith(".json") else _renamed(text, terms)


def _renamed(text: str, terms: Mapping[str, str]) -> str:
    for term, replacement in terms.items():
        text = text.replace(term, replacement)
    return text


def _renamed_history(text: str, terms: Mapping[str, str]) -> str:
    """Rename in a recorded run, whose payloads are base64."""

    def rename(value: Any, member: str = "") -> Any:
        if isinstance(value, dict):
            return {key: rename(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [rename(item) for item in value]
        if member == "data" and isinstance(value, str):
            return base64.b64encode(_renamed(base64.b64decode(value).decode(), terms).encode()).decode()
        return _renamed(value, terms) if isinstance(value, str) else value

    return json.dumps(rename(json.loads(text)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
