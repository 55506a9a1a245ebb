"""Documents that carry an electronic invoice, through the whole pipeline on a real Temporal server."""

import hashlib

import msgspec
import pytest

from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import pipeline_under_test
from signalbox_pipelines.document_batch.document.contract import DOCUMENT, DocumentInput, DocumentResult
from signalbox_pipelines.document_batch.document.messages import ResultFile
from support.fakes.documents import TENANT, activities_over
from support.papers.einvoices import StatedInvoice, cii_xml, pdf_with, ubl_xml

STATED = StatedInvoice()
LINES = ["4711", "Summe 529,87 EUR", "Two boxes are in the cellar."]


@pytest.mark.parametrize(
    ("body", "name", "source", "read"),
    [
        pytest.param(
            pdf_with({"factur-x.xml": cii_xml(STATED)}, LINES),
            "a.pdf",
            "factur-x.xml",
            "7 facts, 0 invalid, 7 from data (6 not on the pages)",
            id="Factur-X",
        ),
        pytest.param(ubl_xml(STATED), "a.xml", "a.xml", "8 facts, 0 invalid, 7 from data", id="UBL"),
    ],
)
async def test_an_electronic_invoice_is_recognised_with_exact_facts(
    body: bytes, name: str, source: str, read: str
) -> None:
    objects = FakeObjectStore()
    key = f"uploads/{TENANT}/{hashlib.sha256(body).hexdigest()}"
    objects.bodies[key] = body
    async with pipeline_under_test(DOCUMENT, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(DocumentInput(object=key, name=name, pictures=False))
        result: DocumentResult = await run.result()
        snapshot = await run.snapshot()

    file = msgspec.json.decode(objects.bodies[result.result], type=ResultFile)
    assert (result.kind, result.margin) == ("invoice", 1.0)
    assert file.structured is not None
    assert (file.structured.source, file.structured.number) == (source, STATED.number)
    exact = {entity.value for entity in file.entities if entity.source == "data"}
    assert exact >= {STATED.issued, STATED.gross, STATED.iban, STATED.seller_vat}
    assert next(step.message for step in snapshot.steps if step.name == "extract") == read


async def test_a_damaged_attachment_is_named_in_the_result() -> None:
    body = pdf_with(
        {"factur-x.xml": b"<broken"}, ["RECHNUNG", "Rechnungsnummer: 4711", "Zahlbetrag: 5,00 EUR"]
    )
    objects = FakeObjectStore()
    key = f"uploads/{TENANT}/{hashlib.sha256(body).hexdigest()}"
    objects.bodies[key] = body
    async with pipeline_under_test(DOCUMENT, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(DocumentInput(object=key, name="a.pdf", pictures=False))
        result: DocumentResult = await run.result()

    file = msgspec.json.decode(objects.bodies[result.result], type=ResultFile)
    assert result.kind == "invoice"
    assert (file.read.structured_problem or "").startswith("factur-x.xml cannot be read: not well-formed XML")
