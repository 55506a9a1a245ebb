"""The query language of runs, and the visibility query that is built from it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.search_terms import words
from signalbox_gateway.runs.search.query import Period, SearchQuery, named_pipelines, parse_query
from signalbox_gateway.runs.search.visibility import plain_type_query, visibility_query

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TYPES = ("OrderWorkflow",)
LATEST = "ExecutionStatus != 'ContinuedAsNew'"


def parse(text: str) -> SearchQuery:
    return parse_query(text, pipelines=("ads", "ai_task"), find_names=("invoice", "tax_code"), now=NOW)


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", SearchQuery(), id="empty"),
        pytest.param(
            "status:failed STATUS:Timed_out pipeline:ads",
            SearchQuery(statuses=("failed", "timed_out"), pipelines=("ads",)),
            id="states and pipelines",
        ),
        pytest.param(
            'by:"Lan Nguyễn" tag:q4 error:timed_out step:render find.invoice:C26T/0815',
            SearchQuery(
                terms={
                    "by": ("Lan Nguyễn",),
                    "tag": ("q4",),
                    "error": ("timed_out",),
                    "step": ("render",),
                    "find.invoice": ("C26T/0815",),
                }
            ),
            id="terms",
        ),
        pytest.param(
            "status:Blocked status:waiting",
            SearchQuery(open_states=("blocked", "waiting")),
            id="states of open runs",
        ),
        pytest.param('Café "Đà Lạt"', SearchQuery(words=("cafe", "da", "lat")), id="words"),
        pytest.param(
            "https://shop.example/a 12:30",
            SearchQuery(words=("https", "shop", "example", "a", "12", "30")),
            id="a colon in a word",
        ),
        pytest.param('"status:odd"', SearchQuery(words=("status", "odd")), id="a colon in quotation marks"),
        pytest.param(
            "started:7d", SearchQuery(started=(Period(since=day(3).replace(hour=12)),)), id="an age"
        ),
        pytest.param(
            "started:2026-03-02", SearchQuery(started=(Period(since=day(2), until=day(3)),)), id="a day"
        ),
        pytest.param(
            "started:2026-03-02..2026-03-04",
            SearchQuery(started=(Period(since=day(2), until=day(5)),)),
            id="days, both included",
        ),
        pytest.param(
            "ended:>2026-03-02 ended:<=2026-03-04",
            SearchQuery(ended=(Period(since=day(3)), Period(until=day(5)))),
            id="after and until a day",
        ),
        pytest.param(
            "started:>=2026-03-02T10:00+07:00",
            SearchQuery(started=(Period(since=day(2).replace(hour=3)),)),
            id="a time of another zone",
        ),
    ],
)
def test_a_query_is_parsed(text: str, expected: SearchQuery) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("colour:red", "colour: is not a search key; use status, pipeline, by", id="key"),
        pytest.param("find.inv:1", r"use .*find\.invoice, find\.tax_code", id="find name"),
        pytest.param("status:odd", "there is no such status; use running, ", id="status"),
        pytest.param("status:paused", "only has it as running", id="status that is not indexed"),
        pytest.param(
            "status:blocked status:failed",
            "status:blocked and status:failed cannot be combined",
            id="open and indexed states",
        ),
        pytest.param("pipeline:odd", "no pipeline 'odd'; installed: ads, ai_task", id="pipeline"),
        pytest.param("started:soon", "started:soon: is not a time; use an age", id="time"),
        pytest.param("started:2026-02-30", "is not a time", id="no such day"),
        pytest.param("started:0001-01-01", "is not a time", id="a day that cannot be"),
        pytest.param("by:", "by: has no value; write by:VALUE", id="no value"),
        pytest.param("by:!!", "no letter or digit", id="nothing to search for"),
        pytest.param("--", "no letter or digit", id="a word without letters"),
        pytest.param('by:"Lan', "quotation mark is missing", id="quotation mark"),
        pytest.param("a" * 501, "501 characters; 500 are the most", id="too long"),
        pytest.param("a " * 31, "31 parts; 30 are the most", id="too many"),
    ],
)
def test_a_malformed_query_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        parse(text)

    assert refused.value.field == "q"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("", [LATEST], id="everything"),
        pytest.param(
            "status:failed status:timed_out pipeline:ads",
            [LATEST, "ExecutionStatus IN ('Failed', 'TimedOut')", "SignalboxPipeline IN ('ads')"],
            id="states",
        ),
        pytest.param("by:Lan", [LATEST, "SignalboxFind = 'by=lan'"], id="a word of a name"),
        pytest.param(
            'by:"Lan N" by:minh',
            [
                LATEST,
                "((SignalboxFind = 'by=lan-n' OR (SignalboxFind = 'by=lan' AND SignalboxFind = 'by=n'))"
                " OR SignalboxFind = 'by=minh')",
            ],
            id="one of two names",
        ),
        pytest.param(
            "find.invoice:C26T/0815 tag:a tag:b cafe",
            [
                LATEST,
                "SignalboxFind IN ('find.invoice=c26t-0815')",
                "SignalboxFind IN ('tag=a', 'tag=b')",
                "SignalboxFind = 'w=cafe'",
            ],
            id="terms",
        ),
        pytest.param(
            "started:2026-03-02 ended:<2026-03-04",
            [
                LATEST,
                "StartTime >= '2026-03-02T00:00:00.000000Z'",
                "StartTime < '2026-03-03T00:00:00.000000Z'",
                "CloseTime < '2026-03-04T00:00:00.000000Z'",
            ],
            id="times",
        ),
    ],
)
def test_a_visibility_query_is_built_from_it(text: str, parts: Sequence[str]) -> None:
    query = visibility_query(tenant="acme", search=parse(text))

    assert query == " AND ".join(["SignalboxTenant = 'acme'", *parts])


_TERM = r"SignalboxFind (= '[\w.=-]+'|IN \('[\w.=-]+'(, '[\w.=-]+')*\))"
_INSTANT = r"(StartTime|CloseTime) (>=|<) '[\dT:.-]+Z'"
_SIMPLE = re.compile(
    rf"{_TERM}|{_INSTANT}|(ExecutionStatus|SignalboxPipeline) IN \([\w', ]+\)|{re.escape(LATEST)}"
)
_KEYED = st.tuples(
    st.sampled_from(
        ["by:", "tag:", "error:", "step:", "find.invoice:", "status:", "started:", "pipeline:", ""]
    ),
    st.text(max_size=30),
)


@given(st.one_of(st.text(), st.lists(_KEYED, max_size=4).map(lambda parts: " ".join(map("".join, parts)))))
def test_no_text_changes_the_structure_of_the_query(text: str) -> None:
    try:
        search = parse(text)
    except InvalidInput:
        return
    prefix = "SignalboxTenant = 'acme' AND "
    query = visibility_query(tenant="acme", search=search)

    assert query.startswith(prefix)
    # The tenant's condition is never within an OR: what follows has balanced parentheses and known atoms.
    rest = _SIMPLE.sub("x", query.removeprefix(prefix))
    assert re.fullmatch(r"[x() ]|(AND|OR|x|[() ])+", rest)
    depth = 0
    for part in re.findall(r"[()]|OR", rest):
        depth += {"(": 1, ")": -1}.get(part, 0)
        assert depth >= (1 if part == "OR" else 0)
    assert depth == 0


@given(st.text())
# Without case, Cherokee letters are the large ones.
@example("\uab70\u13a0")
def test_the_words_of_a_text_contain_letters_and_digits_only(text: str) -> None:
    assert all(word.isalnum() and word == word.casefold() for word in words(text))


@given(st.text())
def test_the_words_of_words_are_the_same(text: str) -> None:
    found = words(text)

    assert words(" ".join(found)) == found


def test_the_list_of_a_tenant_with_plain_workflows_has_those_of_its_task_queues() -> None:
    query = visibility_query(tenant="acme", pipeline="OrderWorkflow", queues=["orders", "it's"])

    assert query == (
        "(SignalboxTenant = 'acme' OR (SignalboxTenant IS NULL AND TaskQueue IN ('orders', 'it\\'s')))"
        " AND (SignalboxPipeline = 'OrderWorkflow' OR WorkflowType = 'OrderWorkflow')"
        f" AND {LATEST}"
    )


def test_the_type_of_a_plain_workflow_counts_as_a_pipeline() -> None:
    assert named_pipelines('pipeline:"OrderWorkflow" PIPELINE:ads tea') == ["OrderWorkflow", "ads"]
    found = parse_query("pipeline:OrderWorkflow", pipelines=("ads",), find_names=(), now=NOW, types=TYPES)

    assert found.pipelines == ("OrderWorkflow",)


def test_the_runs_of_a_type_are_listed_without_task_queues() -> None:
    query = visibility_query(tenant="acme", pipeline="OrderWorkflow", types=TYPES)

    assert query == (
        "SignalboxTenant = 'acme' AND (SignalboxPipeline = 'OrderWorkflow' OR WorkflowType = 'OrderWorkflow')"
        f" AND {LATEST}"
    )


def test_values_cannot_widen_the_query_of_a_type() -> None:
    assert plain_type_query("acme", "it's' OR 1") == (
        "SignalboxTenant = 'acme' AND SignalboxPipeline IS NULL AND WorkflowType = 'it\\'s\\' OR 1'"
    )
