"""Cropping by edge energy: where a picture's subject is, and the crop of a given shape that shows it whole. Pure."""

from itertools import pairwise
from typing import Final

from msgspec import Struct
from PIL import Image, ImageFilter

_GRID: Final = 72
_CALM: Final = 5.0
_AIR: Final = 1.2


class Subject(Struct, frozen=True):
    """Where the edges are, as shares of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float


def find_subject(image: Image.Image) -> Subject:
    """The box that holds the edges, down to thin parts such as a handlebar."""
    grey = (
        image.convert("L")
        .resize((_GRID * 3, _GRID * 3), Image.Resampling.BOX)
        .filter(ImageFilter.GaussianBlur(1.2))
    )
    # FIND_EDGES keeps the outermost pixels as they are, hence the margin of three
    edges = (
        grey.filter(ImageFilter.FIND_EDGES)
        .crop((3, 3, _GRID * 3 - 3, _GRID * 3 - 3))
        .resize((_GRID, _GRID), Image.Resampling.BOX)
    )
    energy = edges.tobytes()
    rows = [
        sum(max(0, value - 6) for value in energy[row * _GRID : (row + 1) * _GRID]) for row in range(_GRID)
    ]
    columns = [sum(max(0, value - 6) for value in energy[column::_GRID]) for column in range(_GRID)]
    left, right = _span(columns)
    top, bottom = _span(rows)
    return Subject(left, top, right, bottom)


class Clear(Struct, frozen=True):
    """Shares of the shape, from each side, that the subject must keep out of (text is there, or the picture fades)."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


def shape_of(image: Image.Image) -> float:
    """The subject's width by its height."""
    subject = find_subject(image)
    return (
        (subject.right - subject.left) * image.width / max(1.0, (subject.bottom - subject.top) * image.height)
    )


def crop(
    image: Image.Image,
    subject: Subject,
    width: int,
    height: int,
    *,
    clear: Clear = Clear(),  # noqa: B008
) -> Image.Image:
    """The picture in a shape of `width` × `height`, its subject whole and in the middle.

    Where the picture ends before the shape does, a calm border is continued; a busy one is not, and the subject is cut instead.
    """
    box = _wanted(image, subject, width / height, clear)
    inside = _inside(image, box)
    if inside != box and clear == Clear() and not _calm_where_left(image, box):
        box = inside = _largest(image, subject, width / height)
    if inside == box:
        return image.resize((width, height), Image.Resampling.LANCZOS, box=box)
    return _continued(image, box, inside).resize((width, height), Image.Resampling.LANCZOS)


Box = tuple[float, float, float, float]


def _span(energies: list[int]) -> tuple[float, float]:
    """From the first to the last place that is busier than the background (its quietest fifth, where a table edge runs through)."""
    quiet = sorted(energies)[len(energies) // 5]
    above = [max(0, value - quiet) for value in energies]
    enough = 0.1 * sum(above) / len(above)
    busy = [index for index, value in enumerate(above) if value > enough] or [0, _GRID - 1]
    return busy[0] / _GRID, (busy[-1] + 1) / _GRID


def _wanted(image: Image.Image, subject: Subject, aspect: float, clear: Clear) -> Box:
    """The crop that holds the subject and air around it; as large as the picture allows up to a fifth more."""
    wide, high = (subject.right - subject.left) * image.width, (subject.bottom - subject.top) * image.height
    across, down = 1 - clear.left - clear.right, 1 - clear.top - clear.bottom
    need = max(wide * _AIR / across, high * _AIR / down * aspect)
    largest = min(image.width, image.height * aspect)
    width = max(need, min(largest, need * 1.2), largest * 0.45)
    height = width / aspect
    x = (subject.left + subject.right) / 2 * image.width - width * (clear.left + across / 2)
    y = (subject.top + subject.bottom) / 2 * image.height - height * (clear.top + down / 2)
    x = _kept_inside(x, width, image.width, before=clear.left > 0, after=clear.right > 0)
    y = _kept_inside(y, height, image.height, before=clear.top > 0, after=clear.bottom > 0)
    return x, y, x + width, y + height


def _kept_inside(start: float, length: float, whole: float, *, before: bool, after: bool) -> float:
    """Moved so that nothing beyond the picture shows, except at a side that fades out anyway."""
    if length > whole and not (before or after):
        return (whole - length) / 2
    latest = start if after else whole - length
    moved = min(start, latest)
    return moved if before else max(moved, 0.0 if length <= whole or after else whole - length)


def _largest(image: Image.Image, subject: Subject, aspect: float) -> Box:
    width = min(image.width, image.height * aspect)
    height = width / aspect
    x = min(max((subject.left + subject.right) / 2 * image.width - width / 2, 0), image.width - width)
    y = min(max((subject.top + subject.bottom) / 2 * image.height - height / 2, 0), image.height - height)
    return x, y, x + width, y + height


def _inside(image: Image.Image, box: Box) -> Box:
    return (
        max(box[0], 0.0),
        max(box[1], 0.0),
        min(box[2], float(image.width)),
        min(box[3], float(image.height)),
    )


def _calm_where_left(image: Image.Image, box: Box) -> bool:
    """Whether each border that the box crosses is plain enough to be continued."""
    grey = image.convert("L")
    strips = (
        (box[0] < -1, (0, 0, 2, image.height)),
        (box[1] < -1, (0, 0, image.width, 2)),
        (box[2] > image.width + 1, (image.width - 2, 0, image.width, image.height)),
        (box[3] > image.height + 1, (0, image.height - 2, image.width, image.height)),
    )
    return all(_unrest(grey.crop(strip)) < _CALM for crossed, strip in strips if crossed)


def _unrest(strip: Image.Image) -> float:
    """The mean difference of neighbours along the border, brought to 200 places."""
    long = strip.resize((200, 1) if strip.width > strip.height else (1, 200), Image.Resampling.BOX).tobytes()
    return sum(abs(a - b) for a, b in pairwise(long)) / len(long)


def _continued(image: Image.Image, box: Box, inside: Box) -> Image.Image:
    """The box's part of the picture, its border pixels drawn out to where the box ends."""
    left, top, right, bottom = (round(value) for value in inside)
    part = image.crop((left, top, right, bottom))
    x, y = left - round(box[0]), top - round(box[1])
    ground = Image.new("RGB", (round(box[2] - box[0]), round(box[3] - box[1])))
    edge = max(2, part.height // 60)
    if y > 0 or ground.height > y + part.height:
        ground.paste(
            part.crop((0, 0, part.width, edge)).resize((part.width, y + edge), Image.Resampling.BICUBIC),
            (x, 0),
        )
        low = part.crop((0, part.height - edge, part.width, part.height))
        ground.paste(
            low.resize((part.width, max(1, ground.height - y - part.height + edge))),
            (x, y + part.height - edge),
        )
    ground.paste(part, (x, y))
    if x > 0 or ground.width > x + part.width:
        tall = ground.crop((x, 0, x + edge, ground.height)).resize((x + edge, ground.height))
        far = ground.crop((x + part.width - edge, 0, x + part.width, ground.height))
        ground.paste(tall, (0, 0))
        ground.paste(
            far.resize((max(1, ground.width - x - part.width + edge), ground.height)),
            (x + part.width - edge, 0),
        )
        ground.paste(part, (x, y))
    return ground
