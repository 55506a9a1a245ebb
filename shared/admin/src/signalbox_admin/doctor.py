"""`signalbox-admin doctor`: checks what Signalbox depends on, and names the remedy for each fault."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

import msgspec

from signalbox_admin.checks.findings import Finding, Level
from signalbox_admin.checks.images import check_images
from signalbox_admin.command_line import Subparsers, add_command, print_line

_EXIT_FAULT = 2


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "doctor",
        "check what Signalbox depends on, and name the remedy for each fault",
        "Reads the environment variables of the services: run it where they run. It writes one object and "
        "deletes it; it changes nothing else. Exit codes: 0 no fault (there may be warnings), 2 a fault.",
    )
    parser.add_argument(
        "--service",
        action="append",
        default=[],
        metavar="URL",
        help="also check the readiness of this service; may be repeated",
    )
    parser.add_argument(
        "--workloads",
        metavar="FILE",
        help="also check the images in what `kubectl get deployments,podtemplates -o json` prints; "
        "- is standard input",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    findings = [*await diagnose(os.environ, options.service), *check_images(options.workloads)]
    if options.json:
        print_line(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        for line in report(findings, is_colored=sys.stdout.isatty() and "NO_COLOR" not in os.environ):
            print_line(line)
    return _EXIT_FAULT if any(finding.level is Level.ERROR for finding in findings) else 0


async def diagnose(environ: Mapping[str, str], services: Sequence[str] = ()) -> list[Finding]:
    """Run all checks at the same time."""
    # The checks import large client libraries; `signalbox-admin --help` needs none.
    from signalbox_admin.checks.key_files import check_key_files
    from signalbox_admin.checks.objects import check_objects
    from signalbox_admin.checks.pubsub import check_pubsub
    from signalbox_admin.checks.redis import check_redis
    from signalbox_admin.checks.services import check_services
    from signalbox_admin.checks.temporal import check_temporal

    found = await asyncio.gather(
        check_temporal(environ.get("TEMPORAL_ADDRESS"), environ.get("TEMPORAL_NAMESPACE")),
        check_redis(environ.get("REDIS_URL")),
        check_pubsub(environ.get("GOOGLE_CLOUD_PROJECT"), environ.get("PUBSUB_EMULATOR_HOST")),
        check_objects(environ.get("SIGNALBOX_GATEWAY_OBJECTS_URL")),
        check_services(services),
    )
    return [finding for findings in (*found, check_key_files(environ)) for finding in findings]


def report(findings: Sequence[Finding], *, is_colored: bool = False) -> list[str]:
    """The findings as lines: the remedy stands under its fault."""
    lines = []
    for finding in findings:
        level = f"{finding.level:8}"
        if is_colored:
            level = f"\x1b[{_COLORS[finding.level]}m{level}\x1b[0m"
        lines.append(f"{level} {finding.subject:14} {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':23} → {finding.remedy}")
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    return [*lines, "", ", ".join(f"{level}: {counts[level]}" for level in reversed(Level) if counts[level])]


_COLORS = {Level.OK: 32, Level.SKIPPED: 2, Level.WARNING: 33, Level.ERROR: 31}
