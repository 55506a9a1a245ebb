"""The end of an import: totals, lists of all invoices, failures and mismatches, and a chart of the months."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.invoice_import.fetch.list_reader import JSON, index_key
from signalbox_pipelines.invoice_import.messages import (
    ImportPart,
    ImportReport,
    ImportReportRequest,
    PartFiles,
    PartRecord,
    StoredFile,
)
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow, read_detail
from signalbox_pipelines.invoice_import.report.months_chart import draw_months_chart
from signalbox_pipelines.invoice_import.report.totals import Totals
from signalbox_pipelines.invoice_import.results import ImportResult, ItemFailure, Mismatch, MonthLine

SHOWN: Final = 50
_CSV: Final = "text/csv; charset=utf-8"
_BOM: Final = "\ufeff"
"""Without it, spreadsheets do not read a CSV as UTF-8."""
_INVOICE_COLUMNS: Final = (
    "direction", "month", "family", "seller", "form", "series", "number", "issued_on",
    "seller_name", "buyer", "buyer_name", "status", "processing", "currency",
    "net", "tax", "gross", "original",
)  # fmt: skip


class ImportReporter:
    """Writes the report of a run; holds the rows of one part in memory at a time."""

    def __init__(self, objects: ObjectStore, cpu: CpuPool, request: ImportReportRequest) -> None:
        self._objects = objects
        self._cpu = cpu
        self._request = request
        self._totals = Totals()
        self._failures: list[ItemFailure] = []
        self._mismatches: list[Mismatch] = []
        self._invoices = io.StringIO()
        self._table = csv.writer(self._invoices)

    async def write(self) -> ImportReport:
        self._table.writerow(_INVOICE_COLUMNS)
        for part in self._request.parts:
            await self._add_part(part)
        result = self._result()
        files = [
            await self._put("invoices.csv", "Every invoice", _BOM + self._invoices.getvalue()),
            await self._put(
                "failed.csv",
                "Invoices that could not be fetched, and why",
                _csv_of(ItemFailure, self._failures),
            ),
            await self._put(
                "mismatches.csv", "Where list and signed original differ", _csv_of(Mismatch, self._mismatches)
            ),
        ]
        picture = await self._cpu.run(
            draw_months_chart,
            self._request.lines,
            tenant=current_tenant(),
            within=timedelta(seconds=20),
            subject="chart",
        )
        files.append(await self._put("months.png", "Months at a glance", picture, "image/png"))
        report = await self._put(
            "report.json",
            "Result and totals",
            msgspec.json.format(msgspec.json.encode(result), indent=1),
            JSON,
        )
        return ImportReport(result=result, files=(*files, report), report_key=report.key)

    async def _add_part(self, files: PartFiles) -> None:
        part, account = files.part, self._request.account
        rows = msgspec.json.decode(
            await self._objects.get(index_key(account.folder, part.name)), type=list[InvoiceRow]
        )
        records = [await self._record(part, number) for number in range(files.records)]
        self._failures += [failure for record in records for failure in record.failures]
        self._mismatches += [mismatch for record in records for mismatch in record.mismatches]
        self._totals.add(part.direction, [await self._with_rates(row) for row in rows])
        no_original = {place for record in records for place in record.no_original}
        failed = {failure.key for record in records for failure in record.failures if failure.part == "xml"}
        self._table.writerows(
            _csv_rows(part, rows, no_original, failed, has_originals=self._request.originals)
        )

    async def _record(self, part: ImportPart, number: int) -> PartRecord:
        key = f"{self._request.account.folder}/{part.name}/record-{number:05}.json"
        return msgspec.json.decode(await self._objects.get(key), type=PartRecord)

    async def _with_rates(self, row: InvoiceRow) -> InvoiceRow:
        """Take the tax rates from the detail when the list has none."""
        if row.rates or not self._request.details:
            return row
        try:
            body = await self._objects.get(f"{self._request.account.root}/{row.key}.json")
        except NotFound:
            return row
        return msgspec.structs.replace(row, rates=read_detail(body, row.family).rates)

    async def _put(self, name: str, title: str, body: str | bytes, media_type: str = _CSV) -> StoredFile:
        data = body.encode() if isinstance(body, str) else body
        ref = await self._objects.put_new(f"{self._request.account.folder}/{name}", data, media_type)
        return StoredFile(
            name=name, title=title, key=ref.key, media_type=media_type, size_bytes=ref.size_bytes
        )

    def _result(self) -> ImportResult:
        request, lines = self._request, self._request.lines
        failed, missing = sum(line.failed for line in lines), sum(line.missing for line in lines)
        return ImportResult(
            tax_code=request.account.tax_code,
            first_day=request.first_day,
            last_day=request.last_day,
            status="partial" if failed or missing else "complete",
            rows=sum(line.rows or 0 for line in lines),
            missing=missing,
            details=sum(line.details for line in lines),
            xml=sum(line.xml for line in lines),
            no_original=sum(line.no_original for line in lines),
            failed=failed,
            mismatches=sum(line.mismatches for line in lines),
            sign_ins=request.sign_ins,
            months=_sorted_lines(lines),
            totals=self._totals.by_direction(),
            rates=self._totals.by_rate(),
            first_failed=tuple(self._failures[:SHOWN]),
            first_mismatches=tuple(self._mismatches[:SHOWN]),
        )


def _sorted_lines(lines: Sequence[MonthLine]) -> tuple[MonthLine, ...]:
    return tuple(sorted(lines, key=lambda line: (line.month, line.direction, line.family != "ordinary")))


def _csv_rows(
    part: ImportPart,
    rows: Sequence[InvoiceRow],
    no_original: set[int],
    failed: set[str],
    *,
    has_originals: bool,
) -> Iterator[list[object]]:
    for place, row in enumerate(rows):
        original = f"{row.key}.xml" if has_originals else ""
        if has_originals and place in no_original:
            original = "none"
        elif has_originals and row.key in failed:
            original = "failed"
        yield [
            part.direction, part.month, row.family, _text(row.seller), row.form, _text(row.series),
            row.number, row.issued_on, _text(row.seller_name), _text(row.buyer),
            _text(row.buyer_name), row.status, row.processing, row.currency,
            _amount(row.net), _amount(row.tax), _amount(row.gross), original,
        ]  # fmt: skip


def _csv_of(kind: type[msgspec.Struct], items: Iterable[msgspec.Struct]) -> str:
    out = io.StringIO()
    table = csv.writer(out)
    names = [field.name for field in msgspec.structs.fields(kind)]
    table.writerow(names)
    for item in items:
        values: Mapping[str, object] = {name: getattr(item, name) for name in names}
        table.writerow([_text(value) if isinstance(value, str) else value for value in values.values()])
    return _BOM + out.getvalue()


def _text(value: str | None) -> str:
    """Escape a cell that a spreadsheet would run as a formula; a number keeps its sign."""
    text = value or ""
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r") and not text[1:2].isdigit()
    return f"'{text}" if is_formula else text


def _amount(value: object) -> str:
    return "" if value is None else f"{value:f}"
