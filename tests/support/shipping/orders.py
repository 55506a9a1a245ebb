"""Orders of the shipping pipeline, and the events that they wait for."""

import uuid
from typing import Final

from support.shipping.contract import Dispatched, PaymentSettled

PAID: Final = PaymentSettled(amount=4_200)
PARCEL: Final = Dispatched(parcel="P1")


def new_order() -> str:
    return f"order-{uuid.uuid4().hex[:8]}"
