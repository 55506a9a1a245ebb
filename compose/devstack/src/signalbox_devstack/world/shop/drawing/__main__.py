"""Draw every picture and logo into the package's folder, or the one given."""

import sys
from pathlib import Path

from signalbox_devstack.world.shop.drawing.logos import LOGOS, logo
from signalbox_devstack.world.shop.drawing.scenes import PICTURES


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        draw().save(folder / f"{name}.jpg", quality=86, optimize=True, progressive=True)
    for name in LOGOS:
        logo(name).quantize(64).save(folder / f"logo-{name}.png", optimize=True)
    print(f"{len(PICTURES) + len(LOGOS)} pictures in {folder}")


if __name__ == "__main__":
    main()
