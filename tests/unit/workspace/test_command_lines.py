"""Options are never abbreviated: code that looks for `--detach` does not find `--det`, and a new option would
make an abbreviation in somebody's script ambiguous."""

import ast
from collections.abc import Iterator

import pytest

from signalbox_devstack.stack.cli import main as dev
from support.deployment import ROOT

FOLDERS = ("services", "shared", "compose", "tools")


def parser_calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and creates_parser(node):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def creates_parser(call: ast.Call) -> bool:
    """Whether argparse is given a parser's own arguments, by itself, a subclass or `add_parser`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "add_parser":
        return any(keyword.arg == "help" for keyword in call.keywords)
    return name.endswith(("ArgumentParser", "CommandParser", "ErrorParser"))


def test_no_parser_accepts_abbreviated_options() -> None:
    found = list(parser_calls())
    lacking = [
        where
        for where, call in found
        if not any(
            keyword.arg == "allow_abbrev" and ast.unparse(keyword.value) == "False"
            for keyword in call.keywords
        )
    ]
    assert len(found) > 15
    assert lacking == []


def test_the_dev_stack_refuses_an_abbreviated_detach(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        dev(["up", "--det"])
    assert "unrecognized arguments: --det" in capsys.readouterr().err
