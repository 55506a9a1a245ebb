"""The docs name only what exists, and every setting, metric, event type and command is documented.

`support.docs.doc_names` extracts names from pages, `support.docs.code_names` holds those of the code.
"""

import pytest

from support.docs import code_names, doc_names

PAGES = doc_names.read_pages()
KINDS = {
    "command": (doc_names.commands, code_names.is_command),
    "flag": (doc_names.flags, code_names.is_flag),
    "path": (doc_names.paths, code_names.is_path),
    "dotted name": (doc_names.dotted_names, code_names.is_dotted_name),
    "variable": (doc_names.variables, code_names.is_variable),
    "metric": (doc_names.metrics, code_names.is_metric),
    "event type": (doc_names.event_types, code_names.is_event_type),
}


def unknown(kind: str, text: str) -> list[str]:
    """The names of one kind in a Markdown text that the code does not have."""
    extract, exists = KINDS[kind]
    return sorted(name for name in extract(text) if not exists(name))


def undocumented(names: frozenset[str], pages: dict[str, str]) -> list[str]:
    """The names that no page holds in its code."""
    return sorted(
        name for name in names if not any(doc_names.mentions(page, name) for page in pages.values())
    )


def unlocated_terms(glossary: str) -> list[str]:
    """The standard terms that name no code, or code that does not exist."""
    return [
        term
        for term, paths in doc_names.glossary_code(glossary).items()
        if not paths or not all(map(code_names.is_path, paths))
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_what_exists(page: str, kind: str) -> None:
    assert unknown(kind, PAGES[page]) == []


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        pytest.param("command", "Run `make tests`.", "make tests", id="make target"),
        pytest.param(
            "command", "```console\n$ signalbox provision\n```", "signalbox provision", id="signalbox"
        ),
        pytest.param("command", "`signalbox-admin keys renew`", "signalbox-admin keys renew", id="admin"),
        pytest.param("command", "`signalbox-dev restart worker`", "signalbox-dev restart", id="dev"),
        pytest.param("command", "`python -m signalbox_sim --out x`", "python -m signalbox_sim", id="module"),
        pytest.param("flag", "`signalbox-dev up --detached`", "signalbox-dev up --detached", id="flag"),
        pytest.param(
            "flag",
            "`signalbox-admin keys new --tenants a`",
            "signalbox-admin keys new --tenants",
            id="admin flag",
        ),
        pytest.param("command", "`signalbox-portals --port 1`", "signalbox-portals", id="program"),
        pytest.param(
            "path", "see `services/gateway/src/nowhere.py`", "services/gateway/src/nowhere.py", id="path"
        ),
        pytest.param(
            "path", "see `signalbox_gateway/seats.py`", "signalbox_gateway/seats.py", id="package path"
        ),
        pytest.param("path", "`test_nothing_like_this.py`", "test_nothing_like_this.py", id="file name"),
        pytest.param(
            "dotted name", "`signalbox_core.events.folded`", "signalbox_core.events.folded", id="dotted name"
        ),
        pytest.param(
            "variable", "`SIGNALBOX_GATEWAY_PROT`", "SIGNALBOX_GATEWAY_PROT", id="setting of a service"
        ),
        pytest.param("variable", "`DEMO_MAYBE=1 make demo`", "DEMO_MAYBE", id="another variable"),
        pytest.param(
            "metric", "`signalbox_gateway_listener_count`", "signalbox_gateway_listener_count", id="metric"
        ),
        pytest.param("event type", "then `run.finished` follows", "run.finished", id="event type"),
        pytest.param("event type", "`dev.signalbox.run.begun.v1`", "run.begun", id="full event type"),
    ],
)
def test_a_wrong_word_in_a_page_is_found(kind: str, text: str, found: str) -> None:
    assert unknown(kind, text) == [found]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(code_names.SETTINGS, id="settings"),
        pytest.param(code_names.METRICS, id="metrics"),
        pytest.param(code_names.EVENT_TYPES, id="event types"),
        pytest.param(code_names.MAKE_COMMANDS, id="make targets"),
        pytest.param(code_names.CLI_COMMANDS, id="commands"),
    ],
)
def test_everything_is_documented(names: frozenset[str]) -> None:
    assert names
    assert undocumented(names, PAGES) == []


@pytest.mark.parametrize(
    "name",
    [
        "SIGNALBOX_GATEWAY_PROT",
        "signalbox_worker_restarts_total",
        "run.begun",
        "make deploy",
        "signalbox-admin keys renew",
    ],
)
def test_a_missing_word_is_found(name: str) -> None:
    assert undocumented(frozenset({name}), PAGES) == [name]


def test_every_standard_term_of_the_glossary_names_its_code() -> None:
    assert doc_names.glossary_code(PAGES["docs/glossary.md"])
    assert unlocated_terms(PAGES["docs/glossary.md"]) == []


@pytest.mark.parametrize(
    "code",
    [pytest.param("–", id="no code"), pytest.param("`signalbox_core/redis/leases.py`", id="missing file")],
)
def test_a_term_without_code_is_found(code: str) -> None:
    assert unlocated_terms(f"## Standard terms\n\n| **lease** | a key in Redis | {code} |\n") == ["lease"]


def test_the_metrics_page_has_the_type_and_labels_of_every_metric() -> None:
    assert doc_names.metric_rows(PAGES["docs/metrics.md"]) == code_names.METRIC_ROWS


def test_a_wrong_label_on_the_metrics_page_is_found() -> None:
    page = PAGES["docs/metrics.md"].replace("| `queue`, `kind` |", "| `queue` |")

    assert doc_names.metric_rows(page) != code_names.METRIC_ROWS


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_heading_leads_to_one(page: str) -> None:
    assert doc_names.dead_anchors(page, PAGES) == []


def test_a_link_to_a_missing_heading_is_found() -> None:
    pages = {"docs/a.md": "[x](b.md#no-such)", "docs/b.md": "# Some such\n"}

    assert doc_names.dead_anchors("docs/a.md", pages) == ["b.md#no-such"]


def misnumbered(titles: dict[str, str]) -> list[str]:
    """The decision records whose number is not the next one, or another in the title; by file name."""
    numbered = enumerate(sorted(titles), start=1)
    return [
        name
        for number, name in numbered
        if not (name.startswith(f"{number:04}-") and titles[name].startswith(f"# {number:04} "))
    ]


def test_decision_records_are_numbered_without_gap_or_repetition() -> None:
    folder = doc_names.ROOT / "docs/adr"
    assert misnumbered({path.name: path.read_text() for path in folder.glob("*.md")}) == []


@pytest.mark.parametrize(
    "titles",
    [
        pytest.param({"0001-a.md": "# 0001 A", "0001-b.md": "# 0001 B"}, id="repeated"),
        pytest.param({"0001-a.md": "# 0001 A", "0003-b.md": "# 0003 B"}, id="gap"),
        pytest.param({"0001-a.md": "# 0002 A"}, id="other number in the title"),
    ],
)
def test_a_wrong_number_of_a_decision_record_is_found(titles: dict[str, str]) -> None:
    assert misnumbered(titles)
