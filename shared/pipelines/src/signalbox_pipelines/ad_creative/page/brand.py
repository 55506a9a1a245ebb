"""The brand: what the page says, with its colours and logo."""

from signalbox_pipelines.ad_creative.messages import Brand, Palette, StoredPicture
from signalbox_pipelines.ad_creative.page.facts import PageFacts


def brand_of(facts: PageFacts, page: str, palette: Palette, logo: StoredPicture | None) -> Brand:
    return Brand(
        page=page,
        name=facts.name,
        product=facts.product,
        language=facts.language,
        palette=palette,
        description=facts.description,
        slogan=facts.slogan,
        price=facts.price,
        rating=facts.rating,
        reviews=facts.reviews,
        benefits=facts.benefits,
        shipping=facts.shipping,
        cta=facts.cta,
        logo=logo,
        images=facts.images,
    )
