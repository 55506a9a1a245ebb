"""Tables of the documentation as data, so that a test can hold them against what happens."""

from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def table_under(page: str, heading: str) -> list[dict[str, str]]:
    """The first table under a heading of docs/`page`: a row as {column: cell}, without code marks."""
    lines = (DOCS / page).read_text().splitlines()
    below = lines[lines.index(heading) :]
    first = next(place for place, line in enumerate(below) if line.startswith("|"))
    rows = []
    for line in below[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    columns, _, *body = rows
    return [dict(zip(columns, row, strict=True)) for row in body]
