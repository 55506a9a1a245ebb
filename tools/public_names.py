"""The names that others depend on, found in the code itself, and compared with tests/data/public_names.json.

`--check` (default) fails if a name of the snapshot was removed; `--update` adds new names and refuses to
remove any; `--print` writes the names in the code. Module paths and class names are not compared, so both can
change freely.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import interface_names
import source_names

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "tests" / "data" / "public_names.json"
Names = Mapping[str, list[str]]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare with the snapshot (the default)")
    choice.add_argument("--update", action="store_true", help="add new names to the snapshot")
    choice.add_argument("--print", action="store_true", help="write the names that the code has now")
    parser.add_argument("--snapshot", type=Path, default=SNAPSHOT, metavar="FILE")
    options = parser.parse_args(arguments)
    now = public_names()
    if options.print:
        print(json.dumps(now, indent=1, ensure_ascii=False))
        return 0
    snapshot = json.loads(options.snapshot.read_text()) if options.snapshot.exists() else {}
    gone = missing(snapshot, now)
    if gone:
        print("public names were removed (restore them):", *gone, sep="\n  ", file=sys.stderr)
        return 1
    if options.update:
        options.snapshot.write_text(json.dumps(merged(snapshot, now), indent=1, ensure_ascii=False) + "\n")
    return 0


def public_names() -> Names:
    """All groups of names, each sorted."""
    found = source_names.modules()
    groups: dict[str, set[str]] = {
        "http": set(interface_names.http_names(found)),
        "events": set(interface_names.event_names()),
        "environment": source_names.environment_names(found),
        "metrics": set(source_names.metric_names(found)),
        "temporal": set(source_names.temporal_names(found)),
        "commands": set(interface_names.command_names()),
        "redis": set(source_names.redis_names(found)),
        "client": set(interface_names.client_names()),
        "imports": set(interface_names.import_names()),
        "codes": set(source_names.code_names(found)),
    }
    return {group: sorted(names) for group, names in groups.items()}


def missing(snapshot: Names, now: Names) -> list[str]:
    """The names of the snapshot that the code no longer has."""
    return [
        f"{group}: {name}"
        for group, names in snapshot.items()
        for name in sorted(set(names) - set(now.get(group, ())))
    ]


def merged(snapshot: Names, now: Names) -> Names:
    """The snapshot with the names that are new."""
    return {group: sorted({*snapshot.get(group, ()), *now.get(group, ())}) for group in {**snapshot, **now}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
