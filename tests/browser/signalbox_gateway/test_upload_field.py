"""A field for a file: chosen or dropped, uploaded at once, and sent as a reference."""

import re
from typing import Annotated

import pytest
from msgspec import Meta, Struct
from playwright.sync_api import Page, Route, expect

from signalbox_core.pipeline.spec import json_schema
from signalbox_core.uploads import Upload
from support.drivers.console_api import HeldRoutes
from support.uploads.contract import LetterInput

PDF = b"%PDF-1.7 letter"
STORED = {"object": "uploads/acme/ab", "media_type": "application/pdf", "size_bytes": 15, "sha256": "ab"}


class Attachment(Struct, frozen=True, kw_only=True):
    paper: Annotated[Upload, Meta(title="Paper")]


class Attachments(Struct, frozen=True, kw_only=True):
    papers: Annotated[tuple[Attachment, ...], Meta(title="Papers", min_length=3)]


@pytest.fixture
def form(modules: Page) -> Page:
    modules.evaluate(
        """async (schema) => {
            const { schemaForm } = await import("/console/js/forms/form.js");
            window.build = (value, root = schema) => {
                window.form = schemaForm(root, value);
                document.body.replaceChildren(window.form.element);
            };
            window.build({});
        }""",
        json_schema(LetterInput),
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


def test_a_file_that_is_uploaded_while_another_row_is_removed_stays_in_its_own(form: Page) -> None:
    form.evaluate("(schema) => build({}, schema)", json_schema(Attachments))
    held = HeldRoutes()
    form.route("**/v1/objects", held)
    for row, name in enumerate(("first.pdf", "second.pdf")):
        form.get_by_label("Paper").nth(row).set_input_files(
            {"name": name, "mimeType": "application/pdf", "buffer": PDF}
        )
        expect(form.get_by_text(f"Uploading {name}")).to_be_visible(timeout=30_000)
    while len(held.routes) < 2:  # the test's timeout is the deadline
        form.evaluate("null")

    form.get_by_role("button", name="Remove number 1").click()
    held.routes[0].fulfill(status=201, json={**STORED, "object": "uploads/acme/first"})
    held.routes[1].fulfill(status=201, json={**STORED, "object": "uploads/acme/second"})
    expect(form.get_by_text("Uploaded: second.pdf")).to_be_visible(timeout=30_000)

    assert {found["field"] for found in form.evaluate("form.problems()")} == {"papers", "papers.1.paper"}
    assert form.evaluate("form.read().papers[0]") == {
        "paper": {"object": "uploads/acme/second", "name": "second.pdf"}
    }
    expect(form.get_by_role("button", name="Remove number 2")).to_be_visible()
    form.unroute("**/v1/objects", held)
