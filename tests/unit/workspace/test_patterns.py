"""No pattern accepts a trailing line feed, in Python or in a browser."""

import importlib
import pkgutil
import re
import typing
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import find
from hypothesis.strategies import from_regex
from msgspec import Meta, Struct

from signalbox_core.patterns import whole
from signalbox_pipelines.invoice_import.auth.questions import TroubleDecision

PACKAGES = (
    "core",
    "pipelines",
    "admin",
    "client",
    "gateway",
    "webhook_receiver",
    "worker",
    "autoscaler",
    "devstack",
)
SCANNERS = {"signalbox_pipelines.ai_task.local.words._ABBREVIATED"}
"""Patterns that search within prose, where the end of a line is an end too."""
CHECKED_AFTERWARDS = {
    "signalbox_pipelines.invoice_import.results.AnsweredReference",
    "signalbox_pipelines.invoice_import.auth.questions.AnsweredReference",
    "signalbox_pipelines.invoice_import.auth.questions.TroubleDecision.secret_ref",
}
"""Patterns whose text is part of the digests of open questions; their Struct refuses the line feed itself."""
END = re._constants.AT_END  # type: ignore[attr-defined]  # the parsed form has no public name


def modules() -> Iterator[typing.Any]:
    for package in PACKAGES:
        root = importlib.import_module(f"signalbox_{package}")
        for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if not found.name.endswith(("__main__", "rapid_ocr_program")):
                yield importlib.import_module(found.name)


def metas(hint: object) -> Iterator[Meta]:
    """The `Meta` of an annotation and of everything nested in it."""
    yield from (item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Meta))
    for part in typing.get_args(hint):
        yield from metas(part)
    if origin := getattr(hint, "__origin__", None):
        yield from metas(origin)


def declared_patterns() -> dict[str, str]:
    """The patterns of every Struct and every annotated name, by where they are declared."""
    found: dict[str, str] = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == module.__name__:
                hints = typing.get_type_hints(value, include_extras=True).items()
                found |= {
                    f"{module.__name__}.{name}.{field}": p for field, hint in hints for p in patterns_in(hint)
                }
            else:
                found |= {f"{module.__name__}.{name}": p for p in patterns_in(value)}
    return found


def patterns_in(hint: object) -> list[str]:
    return [meta.pattern for meta in metas(hint) if meta.pattern is not None]


def compiled_patterns() -> dict[str, re.Pattern[str]]:
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
    }


DECLARED, COMPILED = declared_patterns(), compiled_patterns()


def test_the_walk_finds_what_it_should() -> None:
    assert {
        "signalbox_gateway.api.schemas.Decide.decision_id",
        "signalbox_pipelines.invoice_import.contract.ImportInput.tax_code",
    } <= set(DECLARED)
    assert "signalbox_core.ids.RUN_ID" in COMPILED


@pytest.mark.parametrize(
    "pattern",
    [pytest.param(value, id=place) for place, value in DECLARED.items() if place not in CHECKED_AFTERWARDS],
)
def test_a_declared_pattern_refuses_a_line_feed_at_the_end(pattern: str) -> None:
    kind = typing.Annotated[str, Meta(pattern=pattern)]
    good = find(from_regex(pattern), lambda text: not text.endswith("\n"))

    assert msgspec.convert(good, kind) == good
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good + "\n", kind)


@pytest.mark.parametrize("pattern", [pytest.param(value, id=place) for place, value in COMPILED.items()])
def test_a_compiled_pattern_does_not_end_before_a_line_feed(
    pattern: re.Pattern[str], request: pytest.FixtureRequest
) -> None:
    parsed = list(re._parser.parse(pattern.pattern, pattern.flags))  # type: ignore[attr-defined]
    ends_loosely = bool(parsed) and parsed[-1][1] == END and not pattern.flags & re.MULTILINE

    assert not ends_loosely or request.node.callspec.id in SCANNERS, "end it with \\Z, or use fullmatch"


def test_a_pattern_that_had_to_stay_is_checked_after_decoding() -> None:
    good = msgspec.convert({"action": "again", "secret_ref": "portal"}, TroubleDecision)

    assert good.secret_ref == "portal"
    with pytest.raises(msgspec.ValidationError, match="line feed"):
        msgspec.convert({"action": "again", "secret_ref": "portal\n"}, TroubleDecision)


def test_a_whole_pattern_covers_its_alternatives() -> None:
    pattern = re.compile(whole("a|b"))

    assert pattern.search("a")
    assert pattern.search("b")
    assert not any(pattern.search(text) for text in ("a\n", "\na", "ab", "xb", "a\n\n"))
