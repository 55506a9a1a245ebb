"""The phrases that indicate a kind of document, in Vietnamese and English, with their weights. Data only.

A title that names the kind weighs most; words that several kinds share weigh little or are left out.
"""

from typing import Final

from signalbox_pipelines.document_batch.document.contract import Kind

VERSION: Final = "1"

CUES: Final[dict[Kind, dict[str, float]]] = {
    "invoice": {
        "hóa đơn giá trị gia tăng": 6,
        "hóa đơn bán hàng": 6,
        "hóa đơn": 3,
        "ký hiệu": 1.5,
        "mẫu số": 1.5,
        "đơn vị bán hàng": 2,
        "người mua hàng": 2,
        "thuế suất": 1.5,
        "tiền thuế gtgt": 2,
        "cộng tiền hàng": 2,
        "tổng tiền thanh toán": 2,
        "số tiền viết bằng chữ": 2,
        "tax invoice": 6,
        "invoice": 3,
        "invoice number": 2.5,
        "invoice no": 2.5,
        "bill to": 2.5,
        "due date": 2,
        "payment terms": 1.5,
        "unit price": 1.5,
        "subtotal": 1.5,
        "amount due": 2.5,
        "vat rate": 1,
    },
    "receipt": {
        "biên lai": 5,
        "phiếu thu": 6,
        "đã nhận đủ": 3,
        "người nộp tiền": 3,
        "receipt": 4,
        "received with thanks": 4,
        "cash tendered": 3,
        "change due": 2,
        "paid in full": 2.5,
    },
    "contract": {
        "hợp đồng": 4,
        "bên a": 2,
        "bên b": 2,
        "điều khoản": 2,
        "hiệu lực": 1,
        "hai bên thỏa thuận": 3,
        "contract": 2.5,
        "agreement": 4,
        "hereinafter": 3,
        "the parties": 2.5,
        "governing law": 2.5,
        "in witness whereof": 4,
        "termination": 1.5,
    },
    "letter": {
        "kính gửi": 4,
        "trân trọng": 3,
        "thư ngỏ": 4,
        "thư mời": 4,
        "công văn": 4,
        "v/v": 2,
        "chúng tôi xin": 1.5,
        "dear": 4,
        "sincerely": 3,
        "yours faithfully": 4,
        "kind regards": 3,
        "best regards": 3,
        "we are writing": 2.5,
        "thank you for": 1,
    },
    "bank_statement": {
        "sao kê": 6,
        "sao kê tài khoản": 3,
        "số dư đầu kỳ": 4,
        "số dư cuối kỳ": 4,
        "phát sinh nợ": 2,
        "phát sinh có": 2,
        "bank statement": 5,
        "statement of account": 5,
        "opening balance": 4,
        "closing balance": 4,
        "account number": 1,
    },
}
