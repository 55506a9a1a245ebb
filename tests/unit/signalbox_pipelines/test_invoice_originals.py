"""invoice_import: signed originals, totals, and comparing an original with its row."""

import io
import zipfile
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox_pipelines.invoice_import.fetch.reconciliation import differences
from signalbox_pipelines.invoice_import.portal.faults import UnexpectedResponse
from signalbox_pipelines.invoice_import.portal.originals import BadOriginal, extract_xml, read_original
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow, RateAmount, rate_amount
from signalbox_pipelines.invoice_import.report.totals import Totals
from signalbox_pipelines.invoice_import.tax_rates import normalise_rate
from support.fakes.invoices import a_row, an_archive, an_original

RATES = st.builds(
    RateAmount,
    rate=st.sampled_from(["0%", "5%", "8%", "10%", "KCT"]),
    net=st.decimals(min_value=-(10**12), max_value=10**12, places=2),
    tax=st.decimals(min_value=-(10**10), max_value=10**10, places=2),
)


def test_an_original_that_matches_its_row_has_no_differences() -> None:
    row = a_row(
        rates=(
            RateAmount(rate="8%", net=Decimal(1000), tax=Decimal(80)),
            RateAmount(rate="KCT", net=Decimal(5), tax=Decimal(0)),
        )
    )
    original = read_original(extract_xml(an_archive(an_original(row))))

    assert (original.seller, original.series, original.number, original.lines) == (
        row.seller,
        row.series,
        row.number,
        2,
    )
    assert original.rates == row.rates
    assert differences(row, original) == ()


@pytest.mark.parametrize(
    "written", ["10%", "10", "10.0%", "10,0 %", "0.1", "KHAC:10%", "KHAC: 10%", None, ""]
)
def test_a_rate_is_the_same_however_it_is_written(written: str | None) -> None:
    assert normalise_rate(written, Decimal(1005), Decimal("100.5")) == "10%"


@pytest.mark.parametrize(
    ("written", "net", "tax", "rate"),
    [
        ("KHAC:5.26%", "1000", "52.6", "5.26%"),
        ("0%", "1000", "0", "0%"),
        ("kct", "1000", "0", "KCT"),
        ("KKKNT", "1000", "0", "KKKNT"),
        (None, "1000", "0", "KHAC"),
        (None, "1000", "70", "KHAC"),
        (None, "-1000", "-80", "8%"),
        ("100%", "5", "5", "100%"),
    ],
)
def test_other_rates(written: str | None, net: str, tax: str, rate: str) -> None:
    assert normalise_rate(written, Decimal(net), Decimal(tax)) == rate


def test_rates_written_in_two_ways_are_no_difference() -> None:
    row = a_row(rates=(rate_amount("8%", Decimal(1000), Decimal(80)),))
    original = read_original(an_original(row).replace(b"8%", b"KHAC:8.0%"))

    assert differences(row, original) == ()


def test_each_differing_field_is_reported() -> None:
    row = a_row(gross=Decimal(1080), rates=(RateAmount(rate="8%", net=Decimal(1000), tax=Decimal(80)),))
    other = a_row(
        gross=Decimal("1081.5"), rates=(RateAmount(rate="10%", net=Decimal(1000), tax=Decimal(80)),)
    )
    found = differences(row, read_original(an_original(other)))

    assert [(item.field, item.listed, item.original) for item in found] == [
        ("gross", "1080", "1081.5"),
        ("net at 10%", "0", "1000"),
        ("tax at 10%", "0", "80"),
        ("net at 8%", "1000", "0"),
        ("tax at 8%", "80", "0"),
    ]


def test_a_missing_amount_is_not_a_difference() -> None:
    assert (
        differences(a_row(net=None, tax=None, gross=None, rates=()), read_original(an_original(a_row())))
        == ()
    )


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
FILE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not xml", id="text"),
        pytest.param(b"<HDon/>", id="no content"),
        pytest.param(an_original(a_row())[:-20], id="cut"),
        pytest.param(BOMB + an_original(a_row()), id="entities"),
        pytest.param(FILE + an_original(a_row()), id="external entity"),
        pytest.param(b"<!DOCTYPE HDon>" + an_original(a_row()), id="bare document type"),
        pytest.param(an_original(a_row()).replace(b"<SHDon>1<", b"<SHDon>one<"), id="number is not numeric"),
        pytest.param(
            an_original(a_row(gross=Decimal(7))).replace(b">7<", b">NaN<"), id="amount is not finite"
        ),
        pytest.param(an_original(a_row()).replace(b"<KHHDon>C26TSM</KHHDon>", b""), id="no series"),
    ],
)
def test_an_invalid_invoice_xml_is_a_bad_original(body: bytes) -> None:
    with pytest.raises(BadOriginal):
        read_original(body)


def zipped(name: str, body: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return made.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(b"PK", id="only the signature"),
        pytest.param(an_archive(an_original(a_row()))[:-40], id="cut"),
        pytest.param(zipped("other.xml", b"<a/>"), id="no invoice inside"),
        pytest.param(zipped("invoice.xml", bytes(20_000_001)), id="decompression bomb"),
    ],
)
def test_a_damaged_archive_is_a_bad_original(archive: bytes) -> None:
    with pytest.raises(BadOriginal):
        extract_xml(archive)


def test_an_export_that_is_not_a_zip_is_an_unexpected_response() -> None:
    with pytest.raises(UnexpectedResponse):
        extract_xml(b'{"message":"ok"}')


def test_replaced_and_cancelled_invoices_are_not_counted() -> None:
    rate = (RateAmount(rate="8%", net=Decimal(100), tax=Decimal(8)),)
    totals = Totals()
    totals.add(
        "sold",
        [
            a_row(status=status, net=Decimal(100), tax=Decimal(8), gross=Decimal(108), rates=rate)
            for status in range(1, 7)
        ],
    )

    (found,) = totals.by_direction()
    assert (found.counted, found.excluded, found.gross) == (4, 2, Decimal(432))
    (by_rate,) = totals.by_rate()
    assert (by_rate.invoices, by_rate.net, by_rate.tax) == (4, Decimal(400), Decimal(32))


def test_currencies_are_never_added_up_together() -> None:
    totals = Totals()
    totals.add("purchase", [a_row(gross=Decimal(5)), a_row(gross=Decimal(3), currency="USD")])

    assert [(item.currency, item.gross) for item in totals.by_direction()] == [
        ("USD", Decimal(3)),
        ("VND", Decimal(5)),
    ]


@settings(deadline=None)
@given(st.lists(st.lists(RATES, max_size=4), max_size=20), st.randoms(use_true_random=False))
def test_sums_by_rate_are_exact_in_any_order(invoices: list[list[RateAmount]], random: Random) -> None:
    rows = [rated(rates) for rates in invoices]
    shuffled = random.sample(rows, len(rows))
    one, other = Totals(), Totals()
    one.add("sold", rows)
    for row in shuffled:
        other.add("sold", [row])

    assert one.by_rate() == other.by_rate()
    assert one.by_direction() == other.by_direction()
    assert sum(item.net for item in one.by_rate()) == sum(rate.net for row in rows for rate in row.rates)


def rated(rates: list[RateAmount]) -> InvoiceRow:
    return a_row(net=sum((rate.net for rate in rates), Decimal(0)), rates=tuple(rates))
