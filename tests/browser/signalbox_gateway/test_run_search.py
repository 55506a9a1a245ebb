"""The search text of the list of runs."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page

QUERY = "/console/js/runs/query.js"
RUN = {
    "run_id": "run-1m39e",
    "pipeline": "ad_creative",
    "status": "running",
    "started_by": "Lan Nguyễn",
    "started_at": "2026-03-01T09:30:00Z",
}


EMPTY: Mapping[str, Sequence[str]] = {"status": [], "pipeline": [], "by": [], "words": [], "others": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param(
            "status:failed pipeline:ad_creative by:lan coffee",
            {"status": ["failed"], "pipeline": ["ad_creative"], "by": ["lan"], "words": ["coffee"]},
            id="every token",
        ),
        pytest.param(
            'by:"Lan Nguyễn" "two words"',
            {"by": ["lan nguyễn"], "words": ["two words"]},
            id="quotation marks",
        ),
        pytest.param(
            "status: http://shop.example", {"words": ["http://shop.example"]}, id="a colon in a word"
        ),
        pytest.param(
            'tag:Q4 started:7d find.invoice:"C 1" odd:x error:',
            {"others": ["tag:Q4", "started:7d", 'find.invoice:"C 1"', "odd:x"]},
            id="what only the server applies",
        ),
    ],
)
def test_a_search_text_is_read_as_tokens(
    modules: Page, text: str, expected: Mapping[str, Sequence[str]]
) -> None:
    parsed = modules.evaluate(f"async (text) => (await import('{QUERY}')).parseQuery(text)", text)

    assert parsed == {**EMPTY, **expected}


@pytest.mark.parametrize(
    ("text", "run", "matches"),
    [
        pytest.param("", RUN, True, id="everything"),
        pytest.param("status:running", {**RUN, "status": "paused"}, True, id="paused counts as running"),
        pytest.param("status:running", {**RUN, "status": "failed"}, False, id="another status"),
        pytest.param("status:waiting", {**RUN, "waiting": True}, True, id="waits for a decision"),
        pytest.param("status:waiting", RUN, False, id="waits for nothing"),
        pytest.param("status:failed status:running", RUN, True, id="one of two states"),
        pytest.param("by:nguyễn", RUN, True, id="part of a name"),
        pytest.param("by:minh", RUN, False, id="another person"),
        pytest.param("1M39E", RUN, True, id="part of the id"),
        pytest.param("1m39e other", RUN, False, id="every word has to match"),
        pytest.param("coffee", {**RUN, "subject": "Coffee, round 2"}, True, id="the subject"),
        pytest.param("q4", {**RUN, "tags": ["q4"]}, True, id="a tag"),
        pytest.param("tag:q4", {**RUN, "tags": ["q4"]}, False, id="what only the server applies"),
    ],
)
def test_a_run_matches_the_whole_query(
    modules: Page, text: str, run: Mapping[str, object], *, matches: bool
) -> None:
    script = f"""async ([text, run]) => {{
        const {{ matches, parseQuery }} = await import('{QUERY}');
        return matches(parseQuery(text), run);
    }}"""
    assert modules.evaluate(script, [text, run]) is matches


@pytest.mark.parametrize(
    ("text", "filter_", "narrowed"),
    [
        pytest.param("", {}, False, id="everything"),
        pytest.param("status:", {}, False, id="a token without a value"),
        pytest.param(
            'coffee by:"Lan N" tag:q4 status:failed',
            {"q": 'status:failed by:"lan n" tag:q4 coffee'},
            False,
            id="the server's search",
        ),
        pytest.param('"a:b c"', {"q": '"a:b c"'}, False, id="quotation marks"),
        pytest.param("status:waiting status:running", {"q": "status:running"}, True, id="waiting"),
        pytest.param(
            "status:failed status:cancelled", {"q": "status:failed status:cancelled"}, False, id="two states"
        ),
    ],
)
def test_the_server_filters_what_it_can(
    modules: Page, text: str, filter_: Mapping[str, str], *, narrowed: bool
) -> None:
    script = f"""async (text) => {{
        const {{ isNarrowed, parseQuery, serverFilter }} = await import('{QUERY}');
        return [serverFilter(parseQuery(text)), isNarrowed(parseQuery(text))];
    }}"""
    assert modules.evaluate(script, text) == [filter_, narrowed]


@pytest.mark.parametrize(
    ("text", "labels", "first"),
    [
        pytest.param("st", ["status:", "started:", "step:"], "status:", id="keys"),
        pytest.param("find", ["find.invoice:"], "find.invoice:", id="a field of the input"),
        pytest.param("started:7", ["started:7d"], "started:7d ", id="a time"),
        pytest.param("status:ca", ["status:cancelled"], "status:cancelled ", id="a state"),
        pytest.param("coffee by:la", ['by:"Lan N"'], 'coffee by:"Lan N" ', id="a name with a space"),
        pytest.param("pipeline:", ["pipeline:ad_creative"], "pipeline:ad_creative ", id="every value"),
        pytest.param("coffee", [], None, id="any other word"),
    ],
)
def test_tokens_are_completed(modules: Page, text: str, labels: Sequence[str], first: str | None) -> None:
    script = f"""async (text) => {{
        const {{ completions }} = await import('{QUERY}');
        const known = {{ pipeline: [["ad_creative", "Ads"]], by: [["Lan N"]], find: ["invoice"] }};
        return completions(text, text.length, known);
    }}"""
    found = modules.evaluate(script, text)
    assert [one["label"] for one in found] == labels
    assert (found[0]["text"] if found else None) == first


def test_a_status_replaces_the_one_before(modules: Page) -> None:
    script = f"""async () => {{
        const {{ withStatus }} = await import('{QUERY}');
        return [withStatus('status:failed by:"Lan N" tea', 'running'), withStatus('status:failed', '')];
    }}"""
    assert modules.evaluate(script) == ['status:running by:"Lan N" tea', ""]
