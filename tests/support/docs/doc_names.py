"""Names in the code spans and blocks of a Markdown page: commands, paths, variables, metrics, event types."""

import itertools
import posixpath
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
TRACKED: Final = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
SOURCE_SUFFIXES: Final = "py|pyi|lua|js|ts|css|html|toml|yaml|yml|sh|md|lock"
EVENT_PREFIX: Final = "dev.signalbox."

_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_EXAMPLE = re.compile(r"<!-- file: ([\w.-]+)(?:/[\w./-]*)? -->")
_CONTROL = re.compile(r"(?<![\w./-])(signalbox(?:-admin|-dev)?) +([a-z][a-z-]*)(?: +([a-z][a-z|-]*))?")
_MAKE = re.compile(r"(?:^|[\s;&(])make ([a-z][a-z-]*)", re.MULTILINE)
_MODULE = re.compile(r"python -m ([A-Za-z_][\w.]*)")
_PROGRAM = re.compile(r"(?<![\w./:@-])signalbox-[a-z][a-z-]*[a-z](?![\w.@/]|-)")
_PATH = re.compile(r"(?<![\w/.:$~-])[\w.*<>{}…-]+(?:/[\w.*<>{}…-]+)+/?")
_FILE = re.compile(rf"[\w-]+\.(?:{SOURCE_SUFFIXES})")
_DOTTED = re.compile(r"(?<![\w./-])signalbox_[a-z_]+(?:\.\w+)+(?![\w/(-])")
_VARIABLE = re.compile(
    r"(?<![\w-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_*(?![\w-])|(?<![\w-])SIGNALBOX_[A-Z_]*_(?=…)"
)
_METRIC = re.compile(r"(?<![\w/.-])signalbox_(?:gateway|receiver|worker|autoscaler)_[a-z_]+(?![\w./])")
_EVENT = re.compile(r"[a-z]+\.[a-z_]+")
_FULL_EVENT = re.compile(re.escape(EVENT_PREFIX) + r"([a-z_]+\.[a-z_]+)\.v\d")
_INVOCATION = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S* )*")
_ANCHOR = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
_METRIC_ROW = re.compile(r"^\| `(signalbox_\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
_TERM_ROW = re.compile(r"^\| \*\*(.+?)\*\* \|[^|]*\|([^|]*)\|$", re.MULTILINE)
_ACTIONS: Final = {
    ("signalbox-admin", command) for command in ("audit", "keys", "objects", "payload-keys", "rollout")
}


def read_pages() -> dict[str, str]:
    """Every tracked Markdown page by path, except changelog and decision records, which describe the past."""
    return {
        name: (ROOT / name).read_text()
        for name in TRACKED
        if name.endswith(".md")
        and name != "CHANGELOG.md"
        and not name.startswith("docs/adr/")
        and (ROOT / name).exists()
    }


def glossary_code(page: str) -> dict[str, list[str]]:
    """The paths of code that the glossary names for each standard term."""
    _, _, terms = page.partition("## Standard terms")
    return {term: _SPAN.findall(code) for term, code in _TERM_ROW.findall(terms)}


def blocks(page: str) -> list[str]:
    return _BLOCK.findall(page)


def spans(page: str) -> list[str]:
    return _SPAN.findall(_BLOCK.sub("", page))


@cache
def code_of(page: str) -> str:
    """All code of a page, one line per span."""
    return "\n".join(["", *spans(page), *blocks(page), ""])


@cache
def commands(page: str) -> set[str]:
    """`make demo`, `signalbox start`, `signalbox-admin keys new`, `python -m module`, `signalbox-portal`."""
    code = code_of(page)
    found = {f"make {target}" for target in _MAKE.findall(code)}
    found |= {f"python -m {module.rstrip('.')}" for module in _MODULE.findall(code)}
    found |= set(_PROGRAM.findall(code))
    for program, command, action in _CONTROL.findall(code):
        if (program, command) in _ACTIONS and action:
            found |= {f"{program} {command} {one}" for one in action.split("|")}
        else:
            found.add(f"{program} {command}")
    return found


def flags(page: str) -> set[str]:
    """`signalbox-dev up --detach`: the options of our programs, with program and subcommand.

    Those of `signalbox start` are left out, because every field of a pipeline's input is one.
    """
    found: set[str] = set()
    for line in code_of(page).splitlines():
        program, _, rest = _INVOCATION.sub("", line).partition(" ")
        if not re.fullmatch(r"signalbox(?:-[a-z]+)*", program):
            continue
        words = re.split(r" (?:#|--|&&|\|) ", f"{rest} ")[0].split()
        command = " ".join(itertools.takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, words))
        if not command.startswith("start"):
            options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words))
            found |= {" ".join(filter(None, (program, command, option))) for option in options}
    return found


def paths(page: str) -> set[str]:
    """Paths of the repository, and file names alone in a span; without placeholders and example files."""
    examples = set(_EXAMPLE.findall(page))
    found = set(_PATH.findall(code_of(page))) | {span for span in spans(page) if _FILE.fullmatch(span)}
    return {
        path
        for path in found
        if not re.search(r"[<>{}…]", path)
        and not examples & {part.partition(".")[0] for part in path.split("/")}
        and _is_ours(path)
    }


def dotted_names(page: str) -> set[str]:
    examples = set(_EXAMPLE.findall(page))
    return {
        name
        for name in _DOTTED.findall(code_of(page))
        if not examples & set(name.split(".")) and not re.search(rf"\.(?:{SOURCE_SUFFIXES})$", name)
    }


def variables(page: str) -> set[str]:
    """Upper-case names with an underscore; one that ends in `_` is a prefix."""
    return set(_VARIABLE.findall(code_of(page)))


def metrics(page: str) -> set[str]:
    return set(_METRIC.findall(code_of(page)))


def event_types(page: str) -> set[str]:
    """Short names (`run.started`) in spans of their own, and full ones anywhere."""
    short = {span for span in spans(page) if _EVENT.fullmatch(span)}
    return short | set(_FULL_EVENT.findall(code_of(page)))


def metric_rows(page: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels of each metric in the page's tables."""
    return {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in _METRIC_ROW.findall(page)
    }


def dead_anchors(page: str, pages: dict[str, str]) -> list[str]:
    """Links from a page to headings that do not exist, in the page itself or in another one."""
    dead = []
    for target, anchor in _ANCHOR.findall(_BLOCK.sub("", pages[page])):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        if path in pages and anchor not in _anchors(pages[path]):
            dead.append(f"{target}#{anchor}")
    return dead


def mentions(page: str, name: str) -> bool:
    """Whether a page's code has a name; of a command, a span that begins with its subcommand is enough."""
    if name in commands(page):
        return True
    code = code_of(page)
    if name.startswith("signalbox") and " " in name:
        return bool(re.search(rf"^{re.escape(name.partition(' ')[2])}(?![\w-])", code, re.MULTILINE))
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code))


def _anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", _BLOCK.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _is_ours(path: str) -> bool:
    first, _, rest = path.partition("/")
    top = {name.partition("/")[0] for name in TRACKED if "/" in name}
    return (
        first in top
        or first.startswith("signalbox_")
        or not rest
        or bool(re.search(r"\.(?:py|lua|js|md|lock)$", path))
    )
