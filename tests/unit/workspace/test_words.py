"""The wording of sources, tests, docs and console: class names, plain phrases, module names that are nouns,
line length.

docs/glossary.md has the words to use. Every rule is a row; a finding names the file, the line and what to
write instead.
"""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WIDTH = 110
TRACKED = [
    name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
SOURCES = [name for name in TRACKED if name.endswith(".py") and "/src/" in f"/{name}"]
THIS = Path(__file__).relative_to(ROOT).as_posix()
PROSE = [
    name
    for name in TRACKED
    if name != THIS
    and (name.endswith(".py") or not name.startswith("tests/"))
    and name.endswith((".py", ".md", ".js", ".html", ".css", ".svg", ".lua"))
]

PHRASES = {
    r"(is|are|was|were|be|been) away\b": "is unavailable",
    r"(is|are|was|were|be|been|being) told\b": "receives, is notified, or the verb of the field",
    r"tells? (what|how|when|who|which|why|where|whether)\b": "describes, returns, reports",
    r"whoever": "the caller, the client, or leave it out",
    r"(goes?|going) by itself": "expires, is removed automatically",
    r"(say|says|said) who (you|they|it)": "authentication required; provide credentials",
    r"our mistake": "internal error",
    r"said again": "retried, sent again",
    r"(looked|looks?) at again": "re-checked, refreshed",
    r"(run|workflow|worker|server|portal|model)'s own word": "the workflow's snapshot",
    r"(is|are) no [a-z]+ of\b": "is not one of",
    r"(stand|stands|standing|stood) beside": "next to, alongside",
    r"(hear|hears|heard)\b": "receives, is notified of, acknowledged",
    r"(come|comes|came) back to life": "recovers",
    r"(is|are) held to\b": "is limited to, must satisfy",
    r"a full shelf": "when the buffer is full",
    r"(gets?|got|is|are) mended|mend(s|ed)?\b": "repair, fix",
    r"read again when (it|they|he) changes?": "hot-reloaded",
}
CLASS_WORDS = {
    "Eye": "Metrics, Monitor",
    "Fate": "State",
    "Glance": "Observation",
    "Holder": "Owner",
    "Look": "Observation",
    "Poster": "Client, Sender",
    "Remembered": "Recent",
    "Roster": "what it lists: TenantRuns",
    "Seat": "Connection",
    "Seats": "Limiter",
    "Verdict": "Validation, Action, Policy",
    "Wish": "Options",
}
"""Words that no class name has."""
CLASS_NAMES = {
    "Board": "ProgressCoalescer",
    "Book": "LaunchLedger",
    "Described": "RunInfo",
    "Engine": "what it drives: TemporalRuns",
    "Full": "LimitReason",
    "InHand": "Inflight",
    "Order": "StartRequest, LaunchSpec",
    "Screen": "Renderer",
    "Session": "StreamConnection, CommandContext",
    "Terms": "SizingInputs",
    "Wire": "SseTransport",
    "Words": "TextDelta",
    "Written": "WriteResult",
}
"""Names that do not describe a class without more words."""
SHARED_NAMES = {
    "Approval": (2, "signalbox_client's view of an approval; a pipeline's contract declares one"),
    "Run": (2, "signalbox_client's view of a run; a workflow's run"),
    "Settings": (4, "one frozen Settings in each service, in its settings.py"),
}
NOUNS = {
    "streaming": "the field's name for server-sent events",
    "testing": "public import path",
    "scaling": "the autoscaler's subject",
    "pacing": "the field's name for spacing requests",
    "sealing": "encryption of payloads, see the glossary",
    "sizing": "how many workers a queue needs",
    "wiring": "the noun: how the parts of a service are connected",
}


def phrases() -> Iterator[str]:
    """Phrases of a private dialect in code, tests, docs and console."""
    for name in PROSE:
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            yield from (f"{name}:{number}: {finding}" for finding in phrases_in(line))


def phrases_in(line: str) -> list[str]:
    """What to change in one line; the name of a test is a sentence."""
    if found := re.match(r"\s*(?:async )?def test_(\w+)", line):
        line = found[1].replace("_", " ")
    return [
        f'"{match[0]}": {instead}'
        for pattern, instead in PHRASES.items()
        for match in re.finditer(rf"\b(?:{pattern})", line, re.IGNORECASE)
    ]


def classes() -> Iterator[str]:
    """Class names, private ones too, that more classes have than SHARED_NAMES allows."""
    places = defaultdict(list)
    for name in SOURCES:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{name}:{node.lineno}")
    for kind, found in sorted(places.items()):
        if len(found) > SHARED_NAMES.get(kind, (1, ""))[0]:
            yield f"class {kind} occurs {len(found)} times: {', '.join(found)}"


def class_words() -> Iterator[str]:
    """Names of classes, private ones too, with a word of the private dialect."""
    for name in SOURCES:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.ClassDef):
                yield from (f"{name}:{node.lineno}: {finding}" for finding in class_words_in(node.name))


def class_words_in(kind: str) -> list[str]:
    """What to change in one class name."""
    bare = kind.lstrip("_")
    words = {word: instead for word in re.findall(r"[A-Z][a-z]+", bare) if (instead := CLASS_WORDS.get(word))}
    if bare in CLASS_NAMES:
        words[bare] = CLASS_NAMES[bare]
    return [f"class {kind}, {word}: {instead}" for word, instead in words.items()]


def modules() -> Iterator[str]:
    """Modules and packages named for an action (`settling.py`) and not for their subject."""
    parts = {part for name in SOURCES for part in Path(name.partition("/src/")[2]).with_suffix("").parents}
    names = {Path(name.partition("/src/")[2]).with_suffix("") for name in SOURCES} | parts
    for path in sorted(names):
        words = path.name.split("_")
        if words[-1].endswith("ing") and words[-1] not in NOUNS:
            yield f"{path}: name the module for its subject, with a noun"


def lines() -> Iterator[str]:
    """Lines of Python that are longer than the limit."""
    for name in TRACKED:
        if name.endswith(".py"):
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                if len(line) > WIDTH:
                    yield f"{name}:{number}: {len(line)} columns, limit {WIDTH}"


RULES: dict[str, Callable[[], Iterator[str]]] = {
    "phrases": phrases,
    "classes": classes,
    "class words": class_words,
    "modules": modules,
    "lines": lines,
}


@pytest.mark.parametrize("rule", RULES)
def test_wording_rule_holds(rule: str) -> None:
    found = list(RULES[rule]())
    assert not found, "\n".join([f"{len(found)} findings:", *found])


@pytest.mark.parametrize(
    "line",
    [
        "Temporal is away",
        "Whoever starts a run",
        "the key goes by itself",
        "Say who you are",
        "Our mistake",
        "said again until it is heard",
        "the run's own word",
        "it tells how many",
        "this is no run of the tenant",
        "what stands beside it",
        "async def test_a_caller_is_told_the_reason() -> None:",
    ],
)
def test_a_phrase_of_the_private_dialect_is_found(line: str) -> None:
    assert phrases_in(line)


def test_plain_sentences_pass() -> None:
    assert not phrases_in("Temporal is unavailable: the start is queued and retried with backoff.")


@pytest.mark.parametrize(
    "kind", ["Seats", "LockHolder", "_Roster", "EarlyVerdict", "StackWish", "Wire", "_Session"]
)
def test_a_class_name_of_the_private_dialect_is_found(kind: str) -> None:
    assert class_words_in(kind)


@pytest.mark.parametrize(
    "kind", ["ConnectionLimiter", "WireRow", "PortalSession", "OcrEngine", "Placeholder"]
)
def test_plain_class_names_pass(kind: str) -> None:
    assert not class_words_in(kind)
