"""The activities against the demo shop: results, stored objects, and idempotency."""

import io

import msgspec
import pytest
from PIL import Image

from signalbox_core.errors import InvalidInput, Rejected
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_pipelines.ad_creative.activities import AdActivities, copywriter_for
from signalbox_pipelines.ad_creative.contract import SIZE_NAMES, Ad
from signalbox_pipelines.ad_creative.copy.copywriter import TemplateCopywriter
from signalbox_pipelines.ad_creative.copy.model_copywriter import ModelCopywriter
from signalbox_pipelines.ad_creative.messages import (
    BrandFacts,
    ComposeRequest,
    CopyRequest,
    MatchRequest,
    PageRequest,
)
from support.fakes.ad_pages import PAGES
from support.servers.shop import Shop


async def compose_request(activities: AdActivities, brand: BrandFacts) -> ComposeRequest:
    (copy,) = await activities.write_copy(CopyRequest(brand=brand, count=1))
    matches = await activities.match_images(MatchRequest(brand=brand))
    return ComposeRequest(brand=brand, copy=copy, picture=matches.ranked[0].picture, sizes=SIZE_NAMES)


async def test_all_facts_of_the_page_are_found(shop: Shop, activities: AdActivities) -> None:
    brand = await activities.extract_brand(PageRequest(url=shop.url("vi/ca-phe")))

    assert (brand.name, brand.product, brand.language) == ("Sương Mai", "Cà phê Sương Mai", "vi")
    assert (brand.price, brand.rating, brand.reviews) == ("189.000 ₫", "4,8", 312)
    assert (brand.palette.primary, brand.palette.accent) == ("#1f4a3a", "#e08a2b")
    assert (brand.cta, len(brand.benefits), brand.shipping) == (
        "Mua ngay",
        3,
        "Miễn phí giao hàng từ 500.000 ₫",
    )
    assert brand.logo is not None
    assert not any("logo" in image.url for image in brand.images)


async def test_a_minimal_page_gives_an_ad(shop: Shop, activities: AdActivities) -> None:
    brand = await activities.extract_brand(PageRequest(url=shop.url("traps/bare")))

    ad = await activities.compose_ad(await compose_request(activities, brand))

    assert brand.palette.sources == ("none found: neutral colours",)
    assert [picture.size for picture in ad.pictures] == list(SIZE_NAMES)


@pytest.mark.parametrize(("script", "path"), [("arabic", "ar/qahwa"), ("japanese", "ja/kohi")])
async def test_a_page_in_another_script_gives_an_ad_within_the_memory_of_a_cpu_process(
    shop: Shop, activities: AdActivities, script: str, path: str
) -> None:
    PAGES[script].require_fonts()
    brand = await activities.extract_brand(PageRequest(url=shop.url(path)))

    ad = await activities.compose_ad(await compose_request(activities, brand))

    assert brand.language == path.partition("/")[0]
    assert [picture.size for picture in ad.pictures] == list(SIZE_NAMES)


async def test_pictures_are_ranked_and_unusable_ones_skipped_with_a_reason(
    shop: Shop, activities: AdActivities
) -> None:
    brand = await activities.extract_brand(PageRequest(url=shop.url("en/coffee")))

    matches = await activities.match_images(MatchRequest(brand=brand))

    assert [item.picture.url.rsplit("/", 1)[1] for item in matches.ranked] == [
        "coffee-hero.jpg",
        "coffee-table.jpg",
        "coffee-beans.jpg",
    ]
    assert all(item.reasons for item in matches.ranked)
    (pixel,) = matches.skipped
    assert pixel.reason.startswith("1 × 1 pixels are too few")


async def test_a_page_without_usable_pictures_is_refused(shop: Shop, activities: AdActivities) -> None:
    brand = await activities.extract_brand(PageRequest(url=shop.url("traps/bad-pictures")))

    with pytest.raises(Rejected, match="none of the 4 pictures") as refused:
        await activities.match_images(MatchRequest(brand=brand))

    assert (refused.value.stable_code, refused.value.field) == ("no_pictures", "url")


async def test_every_file_has_the_requested_size(
    shop: Shop, activities: AdActivities, objects: FakeObjectStore
) -> None:
    brand = await activities.extract_brand(PageRequest(url=shop.url("vi/den-ban")))

    ad = await activities.compose_ad(await compose_request(activities, brand))

    for picture in ad.pictures:
        with Image.open(io.BytesIO(objects.bodies[picture.key])) as image:
            assert f"{image.width}x{image.height}" == picture.size
            assert image.format == "PNG"
        assert picture.size_bytes == len(objects.bodies[picture.key])
    assert ad.score.label == "heuristic, not measured CTR"
    assert sum(feature.max_points for feature in ad.score.features) == 100


async def test_a_repeated_attempt_renders_nothing_again(
    shop: Shop, activities: AdActivities, objects: FakeObjectStore
) -> None:
    request = await compose_request(
        activities, await activities.extract_brand(PageRequest(url=shop.url("en/cup")))
    )
    first = await activities.compose_ad(request)
    writes = list(objects.writes)

    second = await activities.compose_ad(request)

    assert second == first
    assert objects.writes == writes


async def test_an_attempt_after_a_crash_renders_only_missing_files(
    shop: Shop, activities: AdActivities, objects: FakeObjectStore
) -> None:
    request = await compose_request(
        activities, await activities.extract_brand(PageRequest(url=shop.url("en/cup")))
    )
    whole = await activities.compose_ad(request)
    lost = whole.pictures[3]
    body = objects.bodies.pop(lost.key)
    objects.writes.clear()

    again: Ad = await activities.compose_ad(request)

    assert objects.writes == [lost.key]
    assert objects.bodies[lost.key] == body, "rendering is deterministic"
    assert msgspec.json.encode(again) == msgspec.json.encode(whole)


def test_a_configured_model_writes_the_copy() -> None:
    assert isinstance(copywriter_for({}), TemplateCopywriter)
    assert isinstance(
        copywriter_for({"SIGNALBOX_WORKER_MODEL_URL": "http://m/v1", "SIGNALBOX_WORKER_MODEL_NAME": "x"}),
        ModelCopywriter,
    )
    with pytest.raises(InvalidInput, match="SIGNALBOX_WORKER_MODEL_NAME"):
        copywriter_for({"SIGNALBOX_WORKER_MODEL_URL": "http://m/v1"})
