"""The phrases that indicate a kind of document, by weight, in seven languages. Data only.

Vietnamese, English, German, French, Dutch, Spanish and Italian; accents do not matter. A title that names the
kind weighs most; words that several kinds share weigh little or are left out. A credit note and a corrected
invoice are invoices; an order, a quotation or a delivery note is `other`.
"""

from typing import Final

from signalbox_pipelines.document_batch.document.contract import Kind

VERSION: Final = "2"
Cues = dict[float, str]
"""From weight to phrases, separated by ` / `."""

_INVOICE: Final[Cues] = {
    6: "hóa đơn giá trị gia tăng / hóa đơn bán hàng / tax invoice / vat invoice / commercial invoice",
    5: (
        "proforma invoice / pro forma invoice / credit note / credit memo / facture / facture proforma"
        " / avoir / note de crédit / facture d'avoir / facture d'acompte / rechnung / schlussrechnung"
        " / teilrechnung / abschlagsrechnung / sammelrechnung / rechnungskorrektur / stornorechnung"
        " / korrekturrechnung / kostenrechnung / monatsrechnung / gutschrift / factuur / creditnota"
        " / creditfactuur / factura / factura proforma / factura rectificativa / factura simplificada"
        " / nota de crédito / fattura / fattura proforma / nota di credito / fattura elettronica / parcella"
    ),
    3: (
        "hóa đơn / invoice / bill to / invoice to / rechnungsnummer / rechnungsnr / rechnungs-nr"
        " / rechnung nr / rechnungsdatum / rechnungsbetrag / rechnungsempfänger / rechnungsadresse"
        " / rechnungsanschrift / numéro de facture / facture numéro / facture n° / facture no / n° facture"
        " / n° de facture / date de facture / date facture / date de facturation / adresse de facturation"
        " / facturé à / net à payer / somme à payer / montant à payer / factuurnummer / factuurnr"
        " / factuurdatum / factuuradres / factuur nr / factuurbedrag / te betalen / número de factura"
        " / factura n° / factura nº / nº factura / nº de factura / n° factura / fecha de factura"
        " / fecha factura / total factura / facturar a / datos de facturación / importe a pagar"
        " / numero fattura / fattura n / fattura n° / fattura nr / n. fattura / n° fattura / data fattura"
        " / totale fattura / totale documento / gutschriftsnummer / gutschriftsnr / numéro d'avoir / avoir n°"
    ),
    2.5: (
        "invoice number / invoice no / invoice no. / invoice # / invoice date / invoice id / invoice total"
        " / amount due / total due / balance due / statement of charges / billing period / billing address"
        " / rechnungsbetrag / zahlbetrag / zu zahlen / zu zahlender betrag / fälligkeit / zahlbar bis"
        " / zahlungsziel / total ttc / montant ttc / total à payer / date d'échéance / échéance"
        " / date limite de paiement / totaal te betalen / te voldoen / vervaldatum / uiterste betaaldatum"
        " / fecha de vencimiento / vencimiento / total a pagar / base imponible / cuota iva / data scadenza"
        " / scadenza / imponibile / totale da pagare / netto a pagare / partita iva"
    ),
    2: (
        "đơn vị bán hàng / người mua hàng / tiền thuế gtgt / cộng tiền hàng / tổng tiền thanh toán"
        " / số tiền viết bằng chữ / due date / sold to / gesamtbetrag / gesamtsumme / endbetrag"
        " / bruttobetrag / rechnungssumme / nettobetrag / zwischensumme / leistungsdatum / leistungszeitraum"
        " / lieferdatum / total ht / montant ht / montant tva / total hors taxes / total hors taxe"
        " / total net / prix unitaire ht / totaal excl / totaal incl / exclusief btw / inclusief btw"
        " / excl. btw / incl. btw / prijs incl. btw / total iva / iva incluido / importe total / totale iva"
        " / totale imponibile / aliquota iva / cedente / prestatore / cessionario / committente"
        " / place of supply / gstin / hsn / sac code / cuit"
    ),
    1.5: (
        "ký hiệu / mẫu số / thuế suất / payment terms / unit price / subtotal / sub total / sub-total"
        " / total amount / grand total / net amount / gross amount / total excl. vat / total incl. vat"
        " / total excluding tax / sales tax / tax amount / vat amount / einzelpreis / stückpreis / e-preis"
        " / gesamtpreis / mwst / ust / mehrwertsteuer / umsatzsteuer / ust-idnr / ust-id / ustid"
        " / steuernummer / kundennummer / kundennr / kunden-nr / zahlungsbedingungen / zahlungsbedingung"
        " / skonto / betrag / prix unitaire / p.u. ht / tva / taux tva / n° tva / montant / total tva"
        " / conditions de paiement / mode de paiement / n° client / numéro client / désignation / btw"
        " / btw-nummer / btw nr / subtotaal / totaal / bedrag / prijs per stuk / stukprijs / klantnummer"
        " / betalingstermijn / betaaltermijn / precio unitario / precio / importe / subtotal / iva / cantidad"
        " / forma de pago / condiciones de pago / nº cliente / prezzo unitario / prezzo / importo / aliquota"
        " / quantità / modalità di pagamento / condizioni di pagamento / descrizione / codice fiscale"
        " / totale"
    ),
    1: (
        "vat rate / vat / total / quantity / qty / description / amount / gst / summe / menge / bezeichnung"
        " / einheit / pos / bankverbindung / quantité / siret / rcs / aantal / omschrijving / kvk"
        " / descripción / cif / nif / banca / iban / bic"
    ),
}

_RECEIPT: Final[Cues] = {
    6: (
        "phiếu thu / payment receipt / sales receipt / cash receipt / official receipt / ticket de caisse"
        " / kassenbon / kassenbeleg / kassabon / scontrino fiscale / documento commerciale / recibo de caja"
    ),
    5: (
        "biên lai / quittung / zahlungsbeleg / zahlungsbestätigung / spendenbescheinigung / quittance / reçu"
        " / reçu de paiement / ontvangstbewijs / betaalbewijs / kwitantie / recibo / recibo de pago"
        " / justificante de pago / tique de compra / ricevuta / ricevuta di pagamento / ricevuta fiscale"
        " / scontrino"
    ),
    4: (
        "receipt / received with thanks / receipt number / receipt no / receipt date / belegnummer"
        " / bonnummer"
    ),
    3: (
        "đã nhận đủ / người nộp tiền / cash tendered / payment received / amount received / we have received"
        " / betrag dankend erhalten / dankend erhalten / bar erhalten / gegeben bar / rückgeld / wechselgeld"
        " / rendu monnaie / reçu la somme / contant ontvangen / wisselgeld / terug / he recibido / recibí"
        " / cambio entregado / resto contante / pagamento contante"
    ),
    2.5: (
        "paid in full / paid by / amount paid / card ending / auth code / kartenzahlung / carte bancaire"
        " / pinbetaling"
    ),
    2: ("change due / cashier / kassierer / caissier / cajero / cassiere / till / terminal-nr / terminal id"),
}

_CONTRACT: Final[Cues] = {
    5: (
        "vertrag / kaufvertrag / mietvertrag / arbeitsvertrag / dienstvertrag / werkvertrag / contrat"
        " / contrat de travail / contrat de bail / contrat de prestation / convention entre / overeenkomst"
        " / huurovereenkomst / arbeidsovereenkomst / koopovereenkomst / contrato / contrato de trabajo"
        " / contrato de arrendamiento / contrato de compraventa / contratto / contratto di locazione"
        " / contratto di lavoro / scrittura privata / non-disclosure agreement / employment agreement"
        " / service agreement / license agreement / lease agreement / terms and conditions"
    ),
    4: (
        "hợp đồng / agreement / in witness whereof / entre les soussignés / il a été convenu"
        " / zwischen den parteien / vertragspartner / vertragsparteien / wird folgender vertrag geschlossen"
        " / de ondergetekenden / zijn overeengekomen / reunidos / las partes acuerdan / tra le parti"
        " / si conviene e si stipula"
    ),
    3: (
        "hai bên thỏa thuận / hereinafter / salvatorische klausel / gerichtsstand / ci-après"
        " / ci-après dénommé / hierna te noemen / en adelante / di seguito / cláusulas / stipulan"
        " / premesso che"
    ),
    2.5: (
        "contract / the parties / governing law / vertragsgegenstand / kündigungsfrist / loi applicable"
        " / objet du contrat / toepasselijk recht / legge applicabile / legislación aplicable"
        " / foro competente"
    ),
    2: (
        "bên a / bên b / điều khoản / kündigung / résiliation / opzegging / rescisión / recesso"
        " / confidentiality"
    ),
    1.5: "termination / indemnification / liability / haftung / force majeure / witnesseth",
    1: "hiệu lực",
}

_LETTER: Final[Cues] = {
    4: (
        "kính gửi / thư ngỏ / thư mời / công văn / dear / dear sir / yours faithfully / yours sincerely"
        " / sehr geehrte / sehr geehrter / sehr geehrte damen und herren / mit freundlichen grüßen"
        " / mit freundlichem gruß / hochachtungsvoll / madame, monsieur / cher monsieur / chère madame"
        " / veuillez agréer / je vous prie d'agréer / nous vous prions d'agréer / salutations distinguées"
        " / geachte heer / geachte mevrouw / geachte / met vriendelijke groet / hoogachtend / estimado"
        " / estimada / muy señor mío / muy señores míos / le saluda atentamente / atentamente / egregio"
        " / gentile / spettabile / distinti saluti / cordiali saluti"
    ),
    3: (
        "trân trọng / sincerely / kind regards / best regards / cordialement / freundliche grüße"
        " / un cordial saludo"
    ),
    2.5: (
        "we are writing / i am writing / to whom it may concern / hiermit / par la présente / hierbij"
        " / por la presente"
    ),
    2: "v/v / betreff / betrifft / objet / betreft / asunto / oggetto",
    1.5: (
        "chúng tôi xin / enclosure / enclosures / anlage / anlagen / pièces jointes / p.j. / bijlage"
        " / bijlagen"
    ),
    1: "thank you for",
}

_BANK_STATEMENT: Final[Cues] = {
    6: (
        "sao kê / kontoauszug / relevé de compte / relevé bancaire / extrait de compte / rekeningafschrift"
        " / rekeninguittreksel / extracto bancario / extracto de cuenta / estratto conto"
        " / estratto conto bancario"
    ),
    5: ("bank statement / statement of account / account statement / statement period / buchungsübersicht"),
    4: (
        "số dư đầu kỳ / số dư cuối kỳ / opening balance / closing balance / alter kontostand"
        " / neuer kontostand / anfangssaldo / endsaldo / kontostand / ancien solde / nouveau solde"
        " / solde créditeur / solde initial / solde final / beginsaldo / eindsaldo / oud saldo / nieuw saldo"
        " / saldo inicial / saldo final / saldo anterior / saldo iniziale / saldo finale"
    ),
    3: (
        "sao kê tài khoản / previous balance / new balance / beginning balance / ending balance"
        " / wertstellung"
    ),
    2: (
        "phát sinh nợ / phát sinh có / withdrawals / deposits / buchungstag / valuta / date de valeur / débit"
        " / crédit / bij- en afschrijvingen / boekdatum / fecha valor / debe / haber / data valuta / dare"
        " / avere"
    ),
    1: "account number / sort code / kontonummer / saldo",
}

_OTHER: Final[Cues] = {
    6: (
        "purchase order / order confirmation / delivery note / packing slip / packing list / quotation"
        " / bestellung / auftragsbestätigung / bestellbestätigung / lieferschein / angebot"
        " / kostenvoranschlag / bon de commande / commande / bon de livraison / devis"
        " / confirmation de commande / pakbon / leverbon / bestelbon / orderbevestiging / offerte / pedido"
        " / albarán / presupuesto / ordine di acquisto / conferma d'ordine / documento di trasporto"
        " / preventivo / curriculum vitae / press release / pressemitteilung / communiqué de presse"
        " / đơn đặt hàng / báo giá / phiếu giao hàng / mahnung / zahlungserinnerung"
    ),
    5: (
        "order number / table of contents / inhaltsverzeichnis / sommaire / table des matières / mục lục"
        " / bibliography"
    ),
    4: (
        "abstract / references / user guide / user manual / acknowledgements / patent / newsletter"
        " / annual report"
    ),
    3: (
        "introduction / chapter / appendix / figure / conclusion / application form / einleitung / kapitel"
        " / questionnaire"
    ),
}

CUES: Final[dict[Kind, Cues]] = {
    "invoice": _INVOICE,
    "receipt": _RECEIPT,
    "contract": _CONTRACT,
    "letter": _LETTER,
    "bank_statement": _BANK_STATEMENT,
    "other": _OTHER,
}
