"""`python -m signalbox_devstack.emulators.sample_documents FOLDER [--count N] [--seed N] [--long]`: write a demo inbox."""

import argparse
import sys
from pathlib import Path

from signalbox_devstack.emulators.sample_documents.inbox_files import inbox, long_scan


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="signalbox-papers", description="Write invented documents into a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=12, help="how many good files")
    parser.add_argument("--seed", type=int, default=1, help="the same seed writes the same files")
    parser.add_argument("--long", action="store_true", help="a scan of 200 pages too")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    written = [*inbox(asked.count, asked.seed), *([long_scan(seed=asked.seed)] if asked.long else [])]
    for file in written:
        (asked.folder / file.name).write_bytes(file.body)
    print(f"{len(written)} files in {asked.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
