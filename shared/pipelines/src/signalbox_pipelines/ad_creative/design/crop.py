"""Crops a picture around its subject, which is found by edge energy. Pure."""

from itertools import pairwise
from typing import Final

from msgspec import Struct
from PIL import Image, ImageFilter

_GRID_SIZE: Final = 72
_MAX_PLAIN_ROUGHNESS: Final = 5.0
_SUBJECT_MARGIN: Final = 1.2


class SubjectBox(Struct, frozen=True):
    """The bounding box of the subject, as shares of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float


def find_subject(image: Image.Image) -> SubjectBox:
    """Find the bounding box of the edges, including thin parts such as a handlebar."""
    grey = (
        image.convert("L")
        .resize((_GRID_SIZE * 3, _GRID_SIZE * 3), Image.Resampling.BOX)
        .filter(ImageFilter.GaussianBlur(1.2))
    )
    # FIND_EDGES leaves the outermost pixels unchanged, hence the margin of 3.
    edges = (
        grey.filter(ImageFilter.FIND_EDGES)
        .crop((3, 3, _GRID_SIZE * 3 - 3, _GRID_SIZE * 3 - 3))
        .resize((_GRID_SIZE, _GRID_SIZE), Image.Resampling.BOX)
    )
    energy = edges.tobytes()
    rows = [
        sum(max(0, value - 6) for value in energy[row * _GRID_SIZE : (row + 1) * _GRID_SIZE])
        for row in range(_GRID_SIZE)
    ]
    columns = [sum(max(0, value - 6) for value in energy[column::_GRID_SIZE]) for column in range(_GRID_SIZE)]
    left, right = _busy_range(columns)
    top, bottom = _busy_range(rows)
    return SubjectBox(left, top, right, bottom)


class ClearZone(Struct, frozen=True):
    """Shares of the crop at each side that the subject must not cover, because the picture fades there."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


def measure_aspect(image: Image.Image) -> float:
    """Return the width of the subject divided by its height."""
    subject = find_subject(image)
    return (
        (subject.right - subject.left) * image.width / max(1.0, (subject.bottom - subject.top) * image.height)
    )


def crop(
    image: Image.Image,
    subject: SubjectBox,
    width: int,
    height: int,
    *,
    clear_zone: ClearZone = ClearZone(),  # noqa: B008
) -> Image.Image:
    """Crop to `width` × `height` with the whole subject in the centre.

    If the crop exceeds the picture, a plain border is extended. If the border is not plain, the subject is
    cut instead.
    """
    box = _ideal_box(image, subject, width / height, clear_zone)
    inside = _intersect(image, box)
    if inside != box and clear_zone == ClearZone() and not _has_plain_borders(image, box):
        box = inside = _largest_box(image, subject, width / height)
    if inside == box:
        return image.resize((width, height), Image.Resampling.LANCZOS, box=box)
    return _extend_borders(image, box, inside).resize((width, height), Image.Resampling.LANCZOS)


CropBox = tuple[float, float, float, float]


def _busy_range(energy: list[int]) -> tuple[float, float]:
    """Return the range whose energy exceeds the background, which is the lowest fifth of all values."""
    background = sorted(energy)[len(energy) // 5]
    excess = [max(0, value - background) for value in energy]
    threshold = 0.1 * sum(excess) / len(excess)
    busy_indices = [index for index, value in enumerate(excess) if value > threshold] or [0, _GRID_SIZE - 1]
    return busy_indices[0] / _GRID_SIZE, (busy_indices[-1] + 1) / _GRID_SIZE


def _ideal_box(image: Image.Image, subject: SubjectBox, aspect: float, clear_zone: ClearZone) -> CropBox:
    """Return a crop with the subject and a margin, up to a fifth larger if the picture allows."""
    subject_width, subject_height = (
        (subject.right - subject.left) * image.width,
        (subject.bottom - subject.top) * image.height,
    )
    free_width, free_height = 1 - clear_zone.left - clear_zone.right, 1 - clear_zone.top - clear_zone.bottom
    needed_width = max(
        subject_width * _SUBJECT_MARGIN / free_width, subject_height * _SUBJECT_MARGIN / free_height * aspect
    )
    largest = min(image.width, image.height * aspect)
    width = max(needed_width, min(largest, needed_width * 1.2), largest * 0.45)
    height = width / aspect
    x = (subject.left + subject.right) / 2 * image.width - width * (clear_zone.left + free_width / 2)
    y = (subject.top + subject.bottom) / 2 * image.height - height * (clear_zone.top + free_height / 2)
    x = _shift_inside(x, width, image.width, before=clear_zone.left > 0, after=clear_zone.right > 0)
    y = _shift_inside(y, height, image.height, before=clear_zone.top > 0, after=clear_zone.bottom > 0)
    return x, y, x + width, y + height


def _shift_inside(start: float, length: float, limit: float, *, before: bool, after: bool) -> float:
    """Shift the crop inside the picture, except at a side that fades out."""
    if length > limit and not (before or after):
        return (limit - length) / 2
    latest = start if after else limit - length
    moved = min(start, latest)
    return moved if before else max(moved, 0.0 if length <= limit or after else limit - length)


def _largest_box(image: Image.Image, subject: SubjectBox, aspect: float) -> CropBox:
    width = min(image.width, image.height * aspect)
    height = width / aspect
    x = min(max((subject.left + subject.right) / 2 * image.width - width / 2, 0), image.width - width)
    y = min(max((subject.top + subject.bottom) / 2 * image.height - height / 2, 0), image.height - height)
    return x, y, x + width, y + height


def _intersect(image: Image.Image, box: CropBox) -> CropBox:
    return (
        max(box[0], 0.0),
        max(box[1], 0.0),
        min(box[2], float(image.width)),
        min(box[3], float(image.height)),
    )


def _has_plain_borders(image: Image.Image, box: CropBox) -> bool:
    """Whether each border that the box crosses is plain enough to be extended."""
    grey = image.convert("L")
    strips = (
        (box[0] < -1, (0, 0, 2, image.height)),
        (box[1] < -1, (0, 0, image.width, 2)),
        (box[2] > image.width + 1, (image.width - 2, 0, image.width, image.height)),
        (box[3] > image.height + 1, (0, image.height - 2, image.width, image.height)),
    )
    return all(_roughness(grey.crop(strip)) < _MAX_PLAIN_ROUGHNESS for crossed, strip in strips if crossed)


def _roughness(strip: Image.Image) -> float:
    """Return the mean difference of neighbouring pixels along the border, scaled to 200 pixels."""
    resampled = strip.resize(
        (200, 1) if strip.width > strip.height else (1, 200), Image.Resampling.BOX
    ).tobytes()
    return sum(abs(a - b) for a, b in pairwise(resampled)) / len(resampled)


def _extend_borders(image: Image.Image, box: CropBox, inside: CropBox) -> Image.Image:
    """Crop to the box and extend the border pixels to its edges."""
    left, top, right, bottom = (round(value) for value in inside)
    cropped = image.crop((left, top, right, bottom))
    x, y = left - round(box[0]), top - round(box[1])
    canvas = Image.new("RGB", (round(box[2] - box[0]), round(box[3] - box[1])))
    strip_px = max(2, cropped.height // 60)
    if y > 0 or canvas.height > y + cropped.height:
        canvas.paste(
            cropped.crop((0, 0, cropped.width, strip_px)).resize(
                (cropped.width, y + strip_px), Image.Resampling.BICUBIC
            ),
            (x, 0),
        )
        bottom_strip = cropped.crop((0, cropped.height - strip_px, cropped.width, cropped.height))
        canvas.paste(
            bottom_strip.resize((cropped.width, max(1, canvas.height - y - cropped.height + strip_px))),
            (x, y + cropped.height - strip_px),
        )
    canvas.paste(cropped, (x, y))
    if x > 0 or canvas.width > x + cropped.width:
        left_strip = canvas.crop((x, 0, x + strip_px, canvas.height)).resize((x + strip_px, canvas.height))
        right_strip = canvas.crop((x + cropped.width - strip_px, 0, x + cropped.width, canvas.height))
        canvas.paste(left_strip, (0, 0))
        canvas.paste(
            right_strip.resize((max(1, canvas.width - x - cropped.width + strip_px), canvas.height)),
            (x + cropped.width - strip_px, 0),
        )
        canvas.paste(cropped, (x, y))
    return canvas
