"""Invented invoices for tests that need no portal: rows, and matching originals that look signed."""

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from signalbox_pipelines.invoice_import.portal.rows import Row

AT = datetime(2026, 8, 1, 3, 0, tzinfo=UTC)


def a_row(**given: Any) -> Row:
    """A purchase by 9901000019, by default."""
    values: dict[str, Any] = {
        "seller": "9901000026",
        "form": 1,
        "series": "C26TSM",
        "number": 1,
        "family": "ordinary",
        "issued_on": date(2026, 8, 3),
        "status": 1,
        "processing": 5,
        "buyer": "9901000019",
        "net": Decimal(1000),
        "tax": Decimal(80),
        "gross": Decimal(1080),
    }
    return Row(**{**values, **given})


def an_original(row: Row) -> bytes:
    """The XML of an invoice with one line for each rate, at least one."""
    rates = "".join(
        f"<LTSuat><TSuat>{rate.rate}</TSuat><ThTien>{rate.net}</ThTien><TThue>{rate.tax}</TThue></LTSuat>"
        for rate in row.rates
    )
    lines = "".join(
        f"<HHDVu><STT>{number}</STT></HHDVu>" for number, _ in enumerate(row.rates or ("one",), start=1)
    )
    return f"""<HDon><DLHDon Id="data"><TTChung><PBan>2.1.0</PBan><KHMSHDon>{row.form}</KHMSHDon><KHHDon>{row.series}</KHHDon>\
<SHDon>{row.number}</SHDon><NLap>{row.issued_on}</NLap><DVTTe>{row.currency}</DVTTe></TTChung>\
<NDHDon><NBan><Ten>Công ty Một</Ten><MST>{row.seller}</MST></NBan><NMua><MST>{row.buyer or ""}</MST></NMua>\
<DSHHDVu>{lines}</DSHHDVu><TToan><THTTLTSuat>{rates}</THTTLTSuat><TgTCThue>{row.net or 0}</TgTCThue>\
<TgTThue>{row.tax or 0}</TgTThue><TgTTTBSo>{row.gross or 0}</TgTTTBSo></TToan></NDHDon></DLHDon></HDon>""".encode()


def an_archive(original: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("invoice.html", "<p>for people</p>")
        archive.writestr("invoice.xml", original)
    return made.getvalue()
