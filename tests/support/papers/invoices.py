"""Invented papers in seven languages with what is true of them, to measure recognition and facts.

Deterministic.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct
from stdnum import iban

from signalbox_devstack.emulators.sample_documents.ground_truth import Paper
from signalbox_devstack.emulators.sample_documents.renderers import text_pdf
from support.papers.einvoices import StatedInvoice, attach, cii_xml, ubl_xml
from support.papers.other_papers import OTHER_PAPERS


class SampleFile(Struct, frozen=True, kw_only=True):
    """A file, its kind, and its facts as (type, value)."""

    name: str
    body: bytes
    kind: str
    facts: tuple[tuple[str, str], ...]

    def truth(self) -> bytes:
        """The content of the truth file of this paper."""
        return msgspec.json.encode({"kind": self.kind, "facts": self.facts})


class _Locale(Struct, frozen=True, kw_only=True):
    """The words and forms of one country's invoices.

    Attributes:
        labels: number, date of issue, due date, VAT number, net, tax, gross.
        marks: what stands between groups of digits, and before the decimals.
        money: how an amount is written, `{}` being the number.
        vat: a valid number.
        account: country and digits of an account without its check digits.
    """

    titles: tuple[str, ...]
    labels: tuple[str, str, str, str, str, str, str]
    items: tuple[str, str, str]
    months: str
    days: tuple[str, ...]
    marks: tuple[str, str]
    money: str
    currency: str
    vat: str
    account: tuple[str, str]
    phone: str
    all_in: str


_NBSP: Final = "\u00a0"
LOCALES: Final[dict[str, _Locale]] = {
    "de": _Locale(
        titles=("Rechnung", "Gutschrift", "Teilrechnung"),
        labels=(
            "Rechnungsnummer",
            "Rechnungsdatum",
            "Zahlbar bis",
            "USt-IdNr.",
            "Nettobetrag",
            "MwSt",
            "Gesamtbetrag",
        ),
        items=("Schreibtisch Eiche", "Druckerpapier A4", "Anlieferung"),
        months="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        days=("{d:02}.{m:02}.{y}", "{d}. {month} {y}"),
        marks=(".", ","),
        money="{} €",
        currency="EUR",
        vat="DE136695976",
        account=("DE", "370400440532013000"),
        phone="+49 30 901820",
        all_in="Alle Beträge in EUR",
    ),
    "fr": _Locale(
        titles=("Facture", "Avoir", "Facture d'acompte"),
        labels=("Facture n°", "Date de facture", "Échéance", "N° TVA", "Total HT", "TVA", "Net à payer"),
        items=("Bureau en chêne", "Papier A4", "Livraison"),
        months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        days=("{d:02}/{m:02}/{y}", "{d} {month} {y}"),
        marks=(_NBSP, ","),
        money="{} €",
        currency="EUR",
        vat="FR40303265045",
        account=("FR", "20041010050500013M02606"),
        phone="+33 1 42 68 53 00",
        all_in="Montants exprimés en EUR",
    ),
    "nl": _Locale(
        titles=("Factuur", "Creditnota"),
        labels=(
            "Factuurnummer",
            "Factuurdatum",
            "Vervaldatum",
            "BTW-nummer",
            "Subtotaal",
            "BTW",
            "Te betalen",
        ),
        items=("Eiken bureau", "Papier A4", "Bezorging"),
        months="januari februari maart april mei juni juli augustus september oktober november december",
        days=("{d:02}-{m:02}-{y}", "{d} {month} {y}"),
        marks=(".", ","),
        money="€ {}",
        currency="EUR",
        vat="NL004495445B01",
        account=("NL", "ABNA0417164300"),
        phone="+31 20 624 1111",
        all_in="Alle bedragen in EUR",
    ),
    "es": _Locale(
        titles=("Factura", "Factura rectificativa"),
        labels=(
            "Número de factura",
            "Fecha de factura",
            "Vencimiento",
            "NIF",
            "Base imponible",
            "IVA",
            "Total a pagar",
        ),
        items=("Mesa de roble", "Papel A4", "Entrega"),
        months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        days=("{d:02}/{m:02}/{y}", "{d} de {month} de {y}"),
        marks=(".", ","),
        money="{} €",
        currency="EUR",
        vat="ESJ99216582",
        account=("ES", "21000418450200051332"),
        phone="+34 915 21 28 00",
        all_in="Importes en EUR",
    ),
    "it": _Locale(
        titles=("Fattura", "Nota di credito"),
        labels=(
            "Numero fattura",
            "Data fattura",
            "Scadenza",
            "Partita IVA",
            "Imponibile",
            "IVA",
            "Totale documento",
        ),
        items=("Scrivania in rovere", "Carta A4", "Consegna"),
        months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre"
        " novembre dicembre",
        days=("{d:02}/{m:02}/{y}", "{d} {month} {y}"),
        marks=(".", ","),
        money="€ {}",
        currency="EUR",
        vat="IT00743110157",
        account=("IT", "X0542811101000000123456"),
        phone="+39 06 698 83712",
        all_in="Importi in EUR",
    ),
    "en": _Locale(
        titles=("Invoice", "Credit note", "Tax invoice"),
        labels=("Invoice number", "Invoice date", "Due date", "VAT number", "Subtotal", "VAT", "Amount due"),
        items=("Oak desk", "Paper A4", "Delivery"),
        months="January February March April May June July August September October November December",
        days=("{d} {month} {y}", "{month} {d}, {y}", "{y}-{m:02}-{d:02}"),
        marks=(",", "."),
        money="£{}",
        currency="GBP",
        vat="BE0428759497",
        account=("GB", "WEST12345698765432"),
        phone="+44 20 7946 0958",
        all_in="All amounts in GBP",
    ),
}


def invoices(seed: int, count: int) -> Iterator[SampleFile]:
    """Invoices in every language and shape, in turn."""
    codes = list(LOCALES)
    for number in range(count):
        yield _invoice(codes[number % len(codes)], number, random.Random(f"{seed}/{number}"))


def other_papers(seed: int) -> Iterator[SampleFile]:
    """Letters, contracts, receipts, statements, orders and other texts in every language."""
    for number, (kind, language, text) in enumerate(OTHER_PAPERS):
        day = date(2026, 1, 1) + timedelta(days=(seed * 37 + number) % 300)
        title, *lines = [line.strip() for line in text.format(day=day.isoformat()).strip().splitlines()]
        paper = Paper(kind=kind, language="en", title=title, lines=tuple(lines), facts=())
        facts = (("date", day.isoformat()),) if "{day}" in text else ()
        yield SampleFile(
            name=f"{kind}-{language}-{number}.pdf", body=text_pdf([paper]), kind=kind, facts=facts
        )


def _invoice(code: str, number: int, dice: random.Random) -> SampleFile:
    locale = LOCALES[code]
    issued = date(2026, 1, 1) + timedelta(days=dice.randrange(300))
    due = issued + timedelta(days=dice.choice((14, 30, 60)))
    prices = [Decimal(dice.randrange(1_000, 180_000)).scaleb(-2) for _ in locale.items]
    net = sum(prices, Decimal(0))
    tax = (net * Decimal("0.21")).quantize(Decimal("0.01"))
    country, bban = locale.account
    account = f"{country}{iban.calc_check_digits(f'{country}00{bban}')}{bban}"
    has_signs = dice.random() < 0.7
    write = _money_writer(locale, has_sign=has_signs)
    day = dice.choice(locale.days)
    names = locale.labels
    gap = dice.choice((": ", "   ", " "))
    lines = [
        f"{names[0]}{gap}{code.upper()}{number:05}",
        f"{names[1]}{gap}{_day(issued, day, locale)}",
        f"{names[2]}{gap}{_day(due, day, locale)}",
        f"{names[3]}{gap}{locale.vat}",
        *(
            [f"{item}   {write(price)}" for item, price in zip(locale.items, prices, strict=True)]
            if has_signs
            else locale.items
        ),
        *([] if has_signs else [locale.all_in]),
        f"{names[4]}{gap}{write(net)}",
        f"{names[5]} 21 %{gap}{write(tax)}",
        f"{names[6]}{gap}{write(net + tax)}",
        f"IBAN{gap}{' '.join(account[start : start + 4] for start in range(0, len(account), 4))}",
        f"buero{number}@example.com   {locale.phone}",
    ]
    title = dice.choice(locale.titles)
    facts = [("date", issued.isoformat()), ("date", due.isoformat()), ("iban", account)]
    facts += [
        ("vat", locale.vat),
        ("email", f"buero{number}@example.com"),
        ("phone", locale.phone.replace(" ", "")),
    ]
    facts += [("amount", str(amount)) for amount in (*(prices if has_signs else ()), net, tax, net + tax)]
    if code == "es":
        lines[3] = f"CIF{gap}{locale.vat}"
    paper = Paper(kind="invoice", language="en", title=title, lines=tuple(lines), facts=tuple(facts))
    body = text_pdf([paper])
    stated = StatedInvoice(
        number=f"{code.upper()}{number:05}",
        issued=issued.isoformat(),
        due=due.isoformat(),
        currency=locale.currency,
        seller_vat=locale.vat,
        iban=account,
        net=str(net),
        tax=str(tax),
        gross=str(net + tax),
    )
    return _in_shape(code, number, SampleFile(name="", body=body, kind="invoice", facts=tuple(facts)), stated)


def _in_shape(code: str, number: int, plain: SampleFile, stated: StatedInvoice) -> SampleFile:
    """Of seven invoices one carries the data, and one in fourteen each is the data, in UBL or CII."""
    from_data = tuple(fact for fact in plain.facts if fact[0] in ("date", "iban", "vat"))
    amounts = tuple(("amount", amount) for amount in (stated.net, stated.tax, stated.gross, stated.gross))
    shapes: dict[int, tuple[str, Callable[[], bytes], tuple[tuple[str, str], ...]]] = {
        3: ("factur-x.pdf", lambda: attach(plain.body, {"factur-x.xml": cii_xml(stated)}), plain.facts),
        5: ("ubl.xml", lambda: ubl_xml(stated), (*from_data, *amounts)),
        6: ("cii.xml", lambda: cii_xml(stated), (*from_data, *amounts)),
    }
    ending, make, facts = shapes.get(number % 7, ("text.pdf", lambda: plain.body, plain.facts))
    return SampleFile(name=f"invoice-{code}-{number:03}-{ending}", body=make(), kind="invoice", facts=facts)


def _money_writer(locale: _Locale, *, has_sign: bool) -> Callable[[Decimal], str]:
    group, decimal = locale.marks

    def write(amount: Decimal) -> str:
        number = f"{amount:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", group)
        return locale.money.format(number) if has_sign else number

    return write


def _day(day: date, form: str, locale: _Locale) -> str:
    return form.format(d=day.day, m=day.month, y=day.year, month=locale.months.split()[day.month - 1])
