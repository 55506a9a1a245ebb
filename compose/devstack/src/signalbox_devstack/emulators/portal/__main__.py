"""`signalbox-portal --port N`: run the portal simulator; prints `listening 127.0.0.1:PORT`."""

import argparse
import re
from collections.abc import Callable

from signalbox_devstack.emulators.http_server import add_listen_options, serve
from signalbox_devstack.emulators.portal.app import PortalOptions, create_app
from signalbox_devstack.emulators.portal.invoice_index import MonthRange

_PROGRAM = "signalbox-portal"


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog=_PROGRAM,
        description="Simulate the e-invoice portal, with fictitious companies and invoices.",
    )
    add_listen_options(parser)
    parser.add_argument(
        "--companies",
        type=_between(1, 10_000),
        default=10,
        metavar="N",
        help="number of companies (default 10)",
    )
    parser.add_argument(
        "--invoices",
        type=_between(0, 1_000_000),
        default=1_000,
        metavar="N",
        help="invoices per company over all months (default 1000)",
    )
    parser.add_argument(
        "--first-month",
        type=_month,
        default="2026-07",
        metavar="YYYY-MM",
        help="first month with invoices (default 2026-07)",
    )
    parser.add_argument(
        "--months", type=_between(1, 120), default=3, metavar="N", help="number of months (default 3)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="another seed generates other invoices (default 1)"
    )
    parser.add_argument(
        "--token-life-s",
        type=float,
        default=86_400.0,
        metavar="S",
        help="lifetime of a session (default one day)",
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="latency of lists and details; originals take three times as long (default 0)",
    )
    parser.add_argument(
        "--faults", action="store_true", help="enable fault injection with PUT /_sim/faults/MST"
    )
    options = parser.parse_args()
    settings = PortalOptions(
        companies=options.companies,
        invoices=options.invoices,
        months=MonthRange(options.first_month[0], options.first_month[1], options.months),
        seed=options.seed,
        token_life_s=options.token_life_s,
        latency_s=options.latency_ms / 1_000,
        has_faults=options.faults,
    )
    serve(_PROGRAM, create_app(settings), options)


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least} to {most} (got {text!r})")
        return int(text)

    return parse


def _month(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a month like 2026-07 (got {text!r})")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    main()
