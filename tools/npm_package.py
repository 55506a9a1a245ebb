"""Packs the browser client as the npm package `@signalbox/client`; equal sources give equal bytes.

`python tools/npm_package.py --to DIR` writes `signalbox-client-<version>.tgz` into the folder.
"""

import argparse
import gzip
import io
import json
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENT = ROOT / "services" / "gateway" / "src" / "signalbox_gateway" / "web" / "client"
SUFFIXES = {".js", ".ts", ".json"}
_OS_BYTE = 9


def pack(client: Path = CLIENT) -> bytes:
    """Return the archive: sorted, without times and owners, below `package/` as npm expects it."""
    files = {path.relative_to(client).as_posix(): path.read_bytes() for path in client.rglob("*")
             if path.suffix in SUFFIXES}  # fmt: skip
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(f"package/{name}")
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    packed = gzip.compress(archive.getvalue(), mtime=0)
    # Python before 3.13 writes its operating system into the header (RFC 1952 §2.3.1), 3.13 writes "unknown".
    return packed[:_OS_BYTE] + b"\xff" + packed[_OS_BYTE + 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the folder of the archive")
    folder: Path = parser.parse_args().to
    version = json.loads((CLIENT / "package.json").read_text())["version"]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"signalbox-client-{version}.tgz"
    target.write_bytes(pack())
    print(target)


if __name__ == "__main__":
    main()
