"""Generates the original of an invoice: invoice.xml in the schema of Decree 123, in a ZIP of five members.

The XMLDSIG signatures have the right structure and digest but are not valid: the signature value is a hash.
"""

import base64
import hashlib
import io
import random
import zipfile
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from signalbox_devstack.emulators.portal.companies import Party
from signalbox_devstack.emulators.portal.invoices import Invoice, InvoiceLine
from signalbox_devstack.emulators.portal.rows import in_words, tax_code_of

_DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_STAMP: Final = (2026, 1, 1, 0, 0, 0)
_PICTURE_BYTES: Final = (262_144, 24_576)


def original_zip(invoice: Invoice) -> bytes:
    """The ZIP, about 310 kB: invoice.xml, invoice.html, details.js, viewinvoice-bg.jpg, sign-check.jpg."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        _add(file, "invoice.xml", original_xml(invoice), is_packed=True)
        _add(file, "invoice.html", _page(invoice), is_packed=True)
        _add(file, "details.js", b"var details = [];\n", is_packed=True)
        for name, picture in zip(("viewinvoice-bg.jpg", "sign-check.jpg"), _pictures(), strict=True):
            _add(file, name, picture, is_packed=False)
    return buffer.getvalue()


def original_xml(invoice: Invoice) -> bytes:
    """The XML: the signed part, the QR text, the tax authority's code and the signatures."""
    signed = _data(invoice)
    code = tax_code_of(invoice)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<HDon>',
        signed,
        f"<DLQRCode>00020101021202{invoice.seller.mst}{invoice.series}{invoice.number}</DLQRCode>",
        f"<MCCQT>{code}</MCCQT>" if code else "",
        f"<DSCKS><NBan>{_signature(signed, invoice.seller.mst)}</NBan>",
        f"<CQT>{_signature(signed, 'CQT')}</CQT>" if code else "",
        "</DSCKS></HDon>",
    ]
    return "".join(parts).encode()


def _data(invoice: Invoice) -> str:
    lines = "".join(_line(line, place) for place, line in enumerate(invoice.lines, start=1))
    rates = "".join(
        f"<LTSuat><TSuat>{item.rate}</TSuat><ThTien>{item.amount}</ThTien><TThue>{item.tax}</TThue></LTSuat>"
        for item in invoice.sums
    )
    total = invoice.total + invoice.differs
    return (
        '<DLHDon Id="data"><TTChung><PBan>2.1.0</PBan><THDon>Hóa đơn giá trị gia tăng</THDon>'
        f"<KHMSHDon>{invoice.form}</KHMSHDon>"
        f"<KHHDon>{invoice.series}</KHHDon><SHDon>{invoice.number}</SHDon>"
        f"<NLap>{invoice.slot.day.isoformat()}</NLap>"
        "<DVTTe>VND</DVTTe><TGia>1</TGia><HTTToan>TM/CK</HTTToan><MSTTCGP>0999999999"
        f"</MSTTCGP>{_link(invoice)}</TTChung>"
        f"<NDHDon>{_party('NBan', invoice.seller)}{_party('NMua', invoice.buyer)}<DSHHDVu>{lines}</DSHHDVu>"
        f"<TToan><THTTLTSuat>{rates}</THTTLTSuat><TgTCThue>{invoice.amount}</TgTCThue>"
        f"<TgTThue>{invoice.tax}</TgTThue>"
        f"<TgTTTBSo>{total}</TgTTTBSo><TgTTTBChu>{in_words(total)}</TgTTTBChu></TToan></NDHDon>"
        "<TTKhac><TTin><TTruong>Nguồn</TTruong><KDLieu>string</KDLieu><DLieu>simulated, not an invoice"
        "</DLieu></TTin></TTKhac></DLHDon>"
    )


def _party(tag: str, party: Party | None) -> str:
    if party is None:
        return f"<{tag}><Ten>Khách lẻ</Ten></{tag}>"
    name, address = escape(party.name), escape(party.address)
    return f"<{tag}><Ten>{name}</Ten><MST>{party.mst}</MST><DChi>{address}</DChi></{tag}>"


def _line(line: InvoiceLine, place: int) -> str:
    return (
        f"<HHDVu><TChat>1</TChat><STT>{place}</STT><THHDVu>{escape(line.name)}</THHDVu><DVTinh>{line.unit}"
        "</DVTinh>"
        f"<SLuong>{line.quantity}</SLuong><DGia>{line.price}</DGia><STCKhau>0</STCKhau>"
        f"<ThTien>{line.amount}</ThTien>"
        f"<TSuat>{line.rate}</TSuat></HHDVu>"
    )


def _link(invoice: Invoice) -> str:
    link = invoice.link
    if link is None:
        return ""
    kind = 1 if invoice.state == 2 else 2
    return (
        f"<TTHDLQuan><TCHDon>{kind}</TCHDon><LHDCLQuan>1</LHDCLQuan><KHMSHDCLQuan>{invoice.form}"
        "</KHMSHDCLQuan>"
        f"<KHHDCLQuan>{link.series}</KHHDCLQuan><SHDCLQuan>{link.number}</SHDCLQuan><NLHDCLQuan>{link.day}"
        "</NLHDCLQuan></TTHDLQuan>"
    )


def _signature(signed: str, signer: str) -> str:
    digest = base64.b64encode(hashlib.sha256(signed.encode()).digest()).decode()
    value = base64.b64encode(hashlib.blake2b(f"{signer}/{digest}".encode()).digest() * 4).decode()
    return (
        f'<Signature xmlns="{_DSIG}"><SignedInfo><CanonicalizationMethod '
        'Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><Reference '
        'URI="#data"><Transforms>'
        f'<Transform Algorithm="{_DSIG}enveloped-signature"/></Transforms><DigestMethod '
        'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo><SignatureValue>{value}"
        "</SignatureValue>"
        f"<KeyInfo><X509Data><X509SubjectName>CN=simulated,UID=MST:{signer}</X509SubjectName>"
        f"<X509Certificate>{_certificate()}</X509Certificate></X509Data></KeyInfo></Signature>"
    )


@lru_cache(maxsize=1)
def _certificate() -> str:
    return base64.b64encode(
        b"SIMULATED CERTIFICATE, NOT A CERTIFICATE" + random.Random("certificate").randbytes(1_400)
    ).decode()


@lru_cache(maxsize=1)
def _pictures() -> tuple[bytes, ...]:
    """Random bytes of the usual sizes after a JPEG start marker; they are not real pictures."""
    return tuple(b"\xff\xd8\xff\xe0" + random.Random(size).randbytes(size) for size in _PICTURE_BYTES)


def _page(invoice: Invoice) -> bytes:
    title = f"{invoice.series} {invoice.number}"
    return f"<!doctype html><title>{title}</title><p>{in_words(invoice.total)}".encode()


def _add(file: zipfile.ZipFile, name: str, body: bytes, *, is_packed: bool) -> None:
    info = zipfile.ZipInfo(name, _STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
    file.writestr(info, body)
