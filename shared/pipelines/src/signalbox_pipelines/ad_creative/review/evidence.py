"""What an approver sees besides the ads. Pure."""

from collections.abc import Sequence

from signalbox_pipelines.ad_creative.messages import Brand, Drawn, Evidence, Matches


def evidence_of(brand: Brand, matches: Matches, asked: Sequence[Drawn]) -> Evidence:
    """Every fact that a text may use, the colours and pictures with their origin, and how often the texts were rejected."""
    return Evidence(
        page=brand.page,
        brand=brand.name,
        product=brand.product,
        facts=facts_of(brand),
        palette=brand.palette,
        pictures=matches.ranked,
        skipped=matches.skipped,
        round=max(item.copy.round for item in asked),
    )


def facts_of(brand: Brand) -> tuple[str, ...]:
    """The page's facts as lines."""
    rating = f"rating: {brand.rating} of 5 ({brand.reviews} reviews)" if brand.rating else ""
    named = (
        ("slogan", brand.slogan),
        ("description", brand.description),
        ("price", brand.price),
        ("shipping", brand.shipping),
    )
    lines = [f"{name}: {value}" for name, value in named if value] + [
        f"benefit: {benefit}" for benefit in brand.benefits
    ]
    return tuple([*lines, rating] if rating else lines)
