"""`signalbox-portal --port N`: serve the portal on this machine; prints `listening 127.0.0.1:PORT` when it does."""

import argparse
import re
from collections.abc import Callable

from signalbox_devstack.emulators.http_server import serve
from signalbox_devstack.emulators.portal.app import PortalSettings, create_app
from signalbox_devstack.emulators.portal.invoice_index import MonthRange

_PROGRAM = "signalbox-portal"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="A tax portal in small: it speaks as the e-invoice portal does; its companies and invoices are invented.",
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--companies", type=_between(1, 10_000), default=10, metavar="N")
    parser.add_argument(
        "--invoices",
        type=_between(0, 1_000_000),
        default=1_000,
        metavar="N",
        help="of each company, all months together",
    )
    parser.add_argument(
        "--first-month", type=_month, default="2026-07", metavar="YYYY-MM", help="default 2026-07"
    )
    parser.add_argument("--months", type=_between(1, 120), default=3, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="other numbers, other invoices")
    parser.add_argument(
        "--token-life-s",
        type=float,
        default=86_400.0,
        metavar="S",
        help="how long a session lasts (default a day)",
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="of a list or a detail; an original takes thrice that",
    )
    parser.add_argument("--faults", action="store_true", help="allow PUT /_sim/faults/MST")
    options = parser.parse_args()
    settings = PortalSettings(
        companies=options.companies,
        invoices=options.invoices,
        months=MonthRange(options.first_month[0], options.first_month[1], options.months),
        seed=options.seed,
        token_life_s=options.token_life_s,
        latency_s=options.latency_ms / 1_000,
        has_faults=options.faults,
    )
    serve(_PROGRAM, create_app(settings), options.port)


def _between(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"give a number from {least} to {most} (it is {text!r})")
        return int(text)

    return whole


def _month(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"give a month like 2026-07 (it is {text!r})")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    main()
