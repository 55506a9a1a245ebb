"""The limit on an activity's result, checked where the result is made."""

import msgspec
from temporalio import activity

from signalbox_core.errors import Rejected
from signalbox_core.secret import encode_hook


class ResultTooLarge(Rejected):
    """The result of an activity is too large to be passed to the workflow."""

    code = "result_too_large"


def check_result(result: object, *, max_bytes: int) -> None:
    """Refuse a result that would be refused after every attempt.

    Raises:
        ResultTooLarge: it is larger than `max_bytes`.
    """
    if isinstance(result, bytes | bytearray):
        size = len(result)
    else:
        size = len(msgspec.json.encode(result, enc_hook=encode_hook))
    if size > max_bytes:
        raise ResultTooLarge(
            f"the result of {activity.info().activity_type} has {size / 1e6:.1f} MB, and at most"
            f" {max_bytes / 1e6:.1f} MB can be passed to the workflow; store it with deps.objects and"
            " return its ObjectRef"
        )
