"""The portal's error messages and bodies, verbatim where they are known."""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

WAF: Final = "Hệ thống phát hiện hành vi không hợp lệ. Yêu cầu đã bị chặn."
NO_TOKEN: Final = "Phiên đăng nhập đã hết hạn hoặc không hợp lệ."  # noqa: S105 - a sentence
WRONG_CAPTCHA: Final = "Mã captcha không đúng."
WRONG_PASSWORD: Final = "Tên đăng nhập hoặc mật khẩu không đúng"  # noqa: S105 - a sentence
LOCKED: Final = "Tài khoản đã bị khóa do đăng nhập sai nhiều lần."
MANY_SORTS: Final = "Không hỗ trợ sắp xếp theo nhiều trường"
RANGE: Final = "Khoảng thời gian tìm kiếm không được lớn hơn 1 tháng"
NO_ORIGINAL: Final = "Không tồn tại hồ sơ gốc của hóa đơn."
NO_INVOICE: Final = "Không tìm thấy hóa đơn."
TOO_MANY: Final = "Hệ thống đang bận, vui lòng thử lại sau."
INTERNAL: Final = "Internal Server Error"


class PortalError(Exception):
    """Ends a request with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_response(
    request: Request, status: int, message: str, headers: "dict[str, str] | None" = None
) -> Response:
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "message": message,
        "details": f"uri={request.url.path}",
        "path": request.url.path,
        "requestId": request.headers.get("request-id", ""),
    }
    return JSONResponse(body, status, headers)


def waf_response() -> Response:
    """The response of the web application firewall, which has its own format."""
    return JSONResponse({"status": 403, "message": WAF}, 403)
