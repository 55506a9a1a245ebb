"""The limit on an activity's result, checked where the result is made."""

from typing import Final

import msgspec
from temporalio import activity

from signalbox_core.errors import Rejected
from signalbox_core.secret import encode_hook

MAX_RESULT_BYTES: Final = 1_900_000
"""Below the 2 MiB that Temporal accepts, with room for encryption."""


class ResultTooLarge(Rejected):
    """The result of an activity is too large for the run's history."""

    code = "result_too_large"


def check_result(result: object) -> None:
    """Refuse a result that the server would refuse after every attempt.

    Raises:
        ResultTooLarge: it is larger than MAX_RESULT_BYTES.
    """
    if isinstance(result, bytes | bytearray):
        size = len(result)
    else:
        size = len(msgspec.json.encode(result, enc_hook=encode_hook))
    if size > MAX_RESULT_BYTES:
        raise ResultTooLarge(
            f"the result of {activity.info().activity_type} has {size / 1e6:.1f} MB, and at most"
            f" {MAX_RESULT_BYTES / 1e6:.1f} MB fit into a run's history; store it with deps.objects and"
            " return its ObjectRef"
        )
