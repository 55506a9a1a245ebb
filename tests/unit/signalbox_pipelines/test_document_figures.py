"""How well papers of many shapes are recognised and their facts found, in figures."""

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.papers.invoices import SampleFile, invoices, other_papers

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import measure_documents

SEED = 20261130
INVOICES = 84


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> measure_documents.Measured:
    folder = tmp_path_factory.mktemp("papers")
    write([*invoices(SEED, INVOICES), *other_papers(SEED)], folder)
    found = measure_documents.measure(sorted(folder.iterdir()))
    sys.stdout.write("\n" + "\n".join(measure_documents.table(found)) + "\n")
    return found


def write(files: Iterable[SampleFile], folder: Path) -> None:
    for file in files:
        (folder / file.name).write_bytes(file.body)
        (folder / f"{file.name}{measure_documents.TRUTH_SUFFIX}").write_bytes(file.truth())


def test_nine_of_ten_invoices_are_recognised(measured: measure_documents.Measured) -> None:
    assert measured.rejected == {}
    assert measured.verdicts["invoice"].total() == INVOICES
    assert measured.share("right", "invoice") >= 0.9


def test_few_papers_are_sure_and_wrong_and_few_ask_a_person(measured: measure_documents.Measured) -> None:
    assert measured.share("wrong") <= 0.02
    assert measured.share("asked") <= 0.15


def test_valid_facts_are_true_and_most_facts_are_found(measured: measure_documents.Measured) -> None:
    assert set(measured.facts) == {"date", "amount", "iban", "vat", "email", "phone"}
    assert {kind: of.precision for kind, of in measured.facts.items() if of.precision < 0.99} == {}
    assert {kind: of.recall for kind, of in measured.facts.items() if of.recall < 0.9} == {}


def test_missing_words_are_counted_regardless_of_spacing() -> None:
    assert measure_documents.missing_words("Liefer ant Straße 5", "Lieferant, STRASSE 5") == 0.25
    assert measure_documents.missing_words("one two three four", "four three\ntwo") == 0.25
    assert measure_documents.missing_words("", "anything") == 0
