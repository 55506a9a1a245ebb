"""A field for a file: chosen or dropped, uploaded at once, and sent as a reference."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from signalbox_core.pipeline.spec import json_schema
from support.uploads.contract import LetterInput

PDF = b"%PDF-1.7 letter"
STORED = {"object": "uploads/acme/ab", "media_type": "application/pdf", "size_bytes": 15, "sha256": "ab"}


@pytest.fixture
def form(modules: Page) -> Page:
    modules.evaluate(
        """async ([schema, value]) => {
            const { schemaForm } = await import("/console/js/forms/form.js");
            window.build = (value) => {
                window.form = schemaForm(schema, value);
                document.body.replaceChildren(window.form.element);
            };
            window.build(value);
        }""",
        [json_schema(LetterInput), {}],
    )
    return modules


def accept_uploads(page: Page) -> list[bytes]:
    received: list[bytes] = []

    def store(route: Route) -> None:
        received.append(route.request.post_data_buffer or b"")
        route.fulfill(status=201, json=STORED)

    page.route("**/v1/objects", store)
    return received


def test_a_chosen_file_is_uploaded_and_sent_as_its_reference(form: Page) -> None:
    received = accept_uploads(form)

    form.get_by_label("Letter").set_input_files(
        {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )

    expect(form.get_by_text("Uploaded: letter.pdf")).to_be_visible(timeout=30_000)
    assert received == [PDF]
    assert form.evaluate("form.problems()") == []
    assert form.evaluate("form.read()") == {"letter": {"object": "uploads/acme/ab", "name": "letter.pdf"}}


def test_a_dropped_file_is_uploaded(form: Page) -> None:
    received = accept_uploads(form)
    transfer = form.evaluate_handle(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
            return data;
        }"""
    )

    form.get_by_label("Letter").dispatch_event("drop", {"dataTransfer": transfer})

    expect(form.get_by_text("Uploaded: dropped.txt")).to_be_visible(timeout=30_000)
    assert received == [b"dropped"]


def test_a_refused_file_shows_the_reason_at_its_field(form: Page) -> None:
    problem = {"status": 415, "code": "wrong_upload_type", "detail": "files of this type are not supported"}
    form.route("**/v1/objects", lambda route: route.fulfill(status=415, json=problem))

    form.get_by_label("Letter").set_input_files(
        {"name": "page.html", "mimeType": "text/html", "buffer": b"<html>"}
    )

    expect(form.get_by_label("Letter")).to_have_attribute("aria-invalid", "true", timeout=30_000)
    expect(form.get_by_text(re.compile("not supported"))).to_be_visible()
    assert form.evaluate("form.problems()")[0]["field"] == "letter"


def test_a_required_file_is_asked_for_and_a_known_one_is_kept(form: Page) -> None:
    assert form.evaluate("form.problems()") == [{"field": "letter", "message": "Choose a file."}]

    form.evaluate("build({ letter: { object: 'uploads/acme/ab', name: 'old.pdf' } })")

    expect(form.get_by_text("Uploaded: old.pdf")).to_be_visible()
    assert form.evaluate("form.problems()") == []
    assert form.evaluate("form.draft().value.letter.object") == "uploads/acme/ab"
