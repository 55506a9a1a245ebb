"""How many streams a process carries, and how many of them are of one principal or one address."""

from collections import Counter
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """How much this process carries.

    Attributes:
        listeners: open streams; one more is told to come back, as it is for the next two.
        per_principal: of them, those of one principal.
        per_address: of them, those from one address.
        lifetime: of one stream; it ends cleanly at 80 to 100 % of it, and the browser reconnects.
        heartbeat: a comment goes to a stream that was silent for so long.
        recheck: how often a listener's right to listen is looked at again.
        sweep: how often all of these are looked at.
    """

    listeners: int = 5_000
    per_principal: int = 1_000
    per_address: int = 1_000
    lifetime: timedelta = timedelta(minutes=10)
    heartbeat: timedelta = timedelta(seconds=12)
    recheck: timedelta = timedelta(seconds=15)
    sweep: timedelta = timedelta(seconds=1)


class Holder(Struct, frozen=True):
    """Whose stream it is; nobody in particular when both are empty."""

    principal: str = ""
    address: str = ""


class Full(StrEnum):
    """Why a stream is put off."""

    DRAINING = "draining"
    PROCESS = "process"
    PRINCIPAL = "principal"
    ADDRESS = "address"


class Seats:
    """Counts the open streams."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0
        self._by_principal: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()

    def lacking(self, holder: Holder) -> Full | None:
        """What is full for this holder; None: there is room."""
        if self._taken >= self._limits.listeners:
            return Full.PROCESS
        if holder.principal and self._by_principal[holder.principal] >= self._limits.per_principal:
            return Full.PRINCIPAL
        if holder.address and self._by_address[holder.address] >= self._limits.per_address:
            return Full.ADDRESS
        return None

    def take(self, holder: Holder) -> None:
        self._taken += 1
        self._by_principal[holder.principal] += 1
        self._by_address[holder.address] += 1

    def leave(self, holder: Holder) -> None:
        self._taken -= 1
        for counter, name in ((self._by_principal, holder.principal), (self._by_address, holder.address)):
            counter[name] -= 1
            if counter[name] <= 0:
                del counter[name]
