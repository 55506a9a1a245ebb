"""Build a wheel of every package. Needs no network: the build backend is in .venv.

`python tools/wheels.py --to DIR`
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from setup import PACKAGES, ROOT

UV = str(Path(sys.executable).parent / "uv")


def build(packages: Sequence[Path], to: Path) -> list[Path]:
    """Build the packages' wheels into a folder and return all wheels there."""
    for package in packages:
        subprocess.run(
            (
                *(UV, "build", "--wheel", "--quiet", "--offline", "--no-build-isolation"),
                *("--python", sys.executable, "--out-dir", str(to), str(package)),
            ),
            check=True,
        )
    return sorted(to.glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=ROOT / ".state" / "wheels", metavar="DIR")
    options = parser.parse_args()
    for wheel in build([ROOT / package for package in PACKAGES], options.to):
        print(wheel)


if __name__ == "__main__":
    main()
