"""`python -m signalbox_devstack.emulators.sample_documents FOLDER [--count N] [--seed N] [--long]`: write an
inbox.
"""

import argparse
import sys
from pathlib import Path

from signalbox_devstack.emulators.sample_documents.inbox_files import inbox, long_scan


def main() -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m signalbox_devstack.emulators.sample_documents",
        description="Write invented documents to a folder.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=12, help="number of valid files (default 12)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed generates the same files (default 1)"
    )
    parser.add_argument("--long", action="store_true", help="also write a scan of 200 pages")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    written = [*inbox(options.count, options.seed), *([long_scan(seed=options.seed)] if options.long else [])]
    for file in written:
        (options.folder / file.name).write_bytes(file.body)
    print(f"{len(written)} files in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
