"""Editors and the dev container: the README's commands, and settings that the sources obey."""

import json
import re
import subprocess

from support.docs.code_names import MAKE_COMMANDS
from support.docs.doc_names import ROOT, TRACKED

SOURCES = (".css", ".html", ".js", ".lua", ".py", ".sh", ".toml", ".ts", ".yaml", ".yml", "Makefile")
CONTAINER = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())


def test_the_dev_container_uses_a_supported_python_and_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert CONTAINER["postCreateCommand"] in MAKE_COMMANDS
    (version,) = re.findall(r"python:(\d+\.\d+)-", CONTAINER["image"])
    assert version in readme.split("You need Python ")[1].partition(" and `make`")[0]
    labels = " ".join(port["label"] for port in CONTAINER["portsAttributes"].values())
    assert set(re.findall(r"make [a-z]+", labels)) <= set(re.findall(r"make [a-z]+", readme))
    assert {str(port) for port in CONTAINER["forwardPorts"]} == CONTAINER["portsAttributes"].keys()
    defaults = (ROOT / "docs/dev-stack.md").read_text()
    assert all(f" {port} |" in defaults for port in CONTAINER["forwardPorts"])


def test_the_editor_and_the_container_recommend_the_same_extensions() -> None:
    extensions = json.loads((ROOT / ".vscode/extensions.json").read_text())["recommendations"]
    settings = json.loads((ROOT / ".vscode/settings.json").read_text())
    assert extensions == CONTAINER["customizations"]["vscode"]["extensions"]
    assert settings["[python]"]["editor.defaultFormatter"] in extensions
    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


def test_sources_obey_the_editor_settings() -> None:
    names = [name for name in TRACKED if name.endswith(SOURCES) and not name.startswith("tests/data/")]
    texts = {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
    assert [name for name, text in texts.items() if b"\r\n" in text] == []
    assert [name for name, text in texts.items() if text and not text.endswith(b"\n")] == []
    assert [name for name, text in texts.items() if re.search(rb"[ \t]+$", text, re.MULTILINE)] == []
    tabs = [name for name, text in texts.items() if re.search(rb"^\t", text, re.MULTILINE)]
    assert tabs == ["Makefile"]
    assert "indent_style = tab" in (ROOT / ".editorconfig").read_text().partition("[Makefile]")[2]


def test_make_help_explains_every_command_under_a_heading() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(re.findall(r"^  make ([a-z]+) +\w", shown, re.MULTILINE)) == set(phony.split())
    headings = re.findall(r"^([A-Z][a-z ]+)$", shown, re.MULTILINE)
    assert headings == re.findall(r"^## (.*)$", makefile, re.MULTILINE)
