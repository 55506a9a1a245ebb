"""A batch of documents and the pages of one, as people see them: live cells, the question in a dialog, boxes
around facts."""

import re
from collections.abc import Sequence

from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from signalbox_devstack.emulators.sample_documents.inbox_files import (
    PaperFile,
    text_file,
    trap_files,
    unclear_file,
)
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, expect_status, faults_of

PLAIN = PaperFile(
    name="note.txt",
    body=b"Dear Ms Taylor,\nthank you. Kind regards,\nwrite to lan@example.com\n\fPage two: 14 March 2026",
)


def start_batch(client: Signalbox, files: Sequence[PaperFile], **options: object) -> str:
    documents = [{"object": client.upload(file.body).object, "name": file.name} for file in files]
    return client.start("document_batch", {"documents": documents, **options}).run_id


def open_run(page: Page, site: Site, run_id: str) -> None:
    page.goto(f"{site.origin}/#/runs/{run_id}")
    expect(page.get_by_role("heading", name="Steps")).to_be_visible()


def test_a_batch_is_watched_document_by_document_and_its_question_answered_in_place(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    bad = [trap for trap in trap_files() if trap.name in {"encrypted.pdf", "truncated.pdf"}]
    run_id = start_batch(
        client,
        [*(text_file(number) for number in range(6)), *bad, unclear_file()],
        wait_for_confirmation=True,
    )
    open_run(page, site, run_id)
    batch = page.get_by_role("region", name=re.compile("^Documents"))
    expect(batch.locator(".cell")).to_have_count(9)
    expect(batch.locator(".cell[data-state='ok']")).to_have_count(6, timeout=RUN_MS)
    expect(batch.locator(".cell[data-state='failed']")).to_have_count(2)
    expect(batch.locator(".batch-why").first).to_contain_text("password_needed")
    assert faults_of(page, watched, "batch") == []

    batch.get_by_role("button", name="Decide: note.pdf").click()
    dialog = page.get_by_role("dialog", name="What is this document? note.pdf")
    shown = dialog.get_by_role("img", name="First page of note.pdf")
    expect(shown).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=shown.element_handle())
    assert faults_of(page, watched, "decide") == []
    dialog.get_by_role("radiogroup", name="Kind").get_by_role("radio", name="Letter").check()
    dialog.get_by_role("button", name="Send decision").click()

    expect(dialog).to_be_hidden()
    expect_status(page, "Completed")
    expect(batch.locator(".cell[data-state='ok']")).to_have_count(7)
    expect(batch.get_by_role("heading", name="Waiting for a person")).to_be_hidden()
    watched.shot("batch-finished-light")


def test_the_cells_are_one_stop_of_the_tab_key_and_open_by_keyboard(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    run_id = start_batch(client, [text_file(number) for number in range(4)])
    open_run(page, site, run_id)
    expect_status(page, "Completed")
    cells = page.locator(".cell")
    expect(cells).to_have_count(4)
    expect(page.locator(".cell[tabindex='0']")).to_have_count(1)

    page.get_by_role("radio", name="All").focus()
    page.keyboard.press("Tab")
    expect(cells.nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(cells.nth(2)).to_be_focused()
    expect(cells.nth(2)).to_have_accessible_name(f"{text_file(2).name}: ok")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=re.compile("^Pages and facts"))).to_be_visible(timeout=RUN_MS)


def test_the_entities_of_a_document_are_boxed_on_its_page(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    invoice = text_file(1)
    run_id = client.start(
        "document", {"object": client.upload(invoice.body).object, "name": invoice.name}
    ).run_id
    open_run(page, site, run_id)
    expect_status(page, "Completed")
    facts = invoice.papers[0].facts
    expect(page.locator(".fact-box")).to_have_count(len(facts))
    expect(page.locator(".fact")).to_have_count(len(facts))
    expect(page.get_by_role("listitem").filter(has_text="page-001")).to_have_count(0)

    iban = next(value for kind, value in facts if kind == "iban")
    page.get_by_role("button", name=re.compile(f"IBAN.*{iban}", re.IGNORECASE)).click()
    chosen = page.locator(".fact-box.chosen")
    expect(chosen).to_have_count(1)
    expect(chosen).to_have_attribute("title", re.compile(iban))
    picture = page.locator(".page-picture").bounding_box()
    box = chosen.bounding_box()
    assert picture is not None
    assert box is not None
    assert picture["x"] <= box["x"] <= box["x"] + box["width"] <= picture["x"] + picture["width"] + 4
    assert faults_of(page, watched, "document") == []


def test_a_text_has_its_facts_marked_and_its_pages_are_turned_with_arrow_keys(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    run_id = client.start(
        "document", {"object": client.upload(PLAIN.body).object, "name": PLAIN.name, "languages": ["en"]}
    ).run_id
    open_run(page, site, run_id)
    expect_status(page, "Completed")
    expect(page.locator("mark")).to_have_text("lan@example.com")

    page.get_by_role("button", name=re.compile("^Page 1")).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name=re.compile("^Page 2, 1 fact"))).to_be_focused()
    expect(page.locator("mark")).to_have_text("14 March 2026")
    assert faults_of(page, watched, "document-text") == []
