"""Contract of ad_creative: input, approval, events and result."""

from datetime import timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import (
    Approval,
    DomainEvent,
    Find,
    PipelineSpec,
    Policy,
    Quorum,
    ShownQuestion,
    Step,
)

SizeName = Literal["300x250", "728x90", "160x600", "1080x1080", "1200x628"]
SIZE_NAMES: Final[tuple[SizeName, ...]] = ("300x250", "728x90", "160x600", "1080x1080", "1200x628")
Language = Literal[
    "auto",
    "en",
    "vi",
    "ar",
    "de",
    "es",
    "fr",
    "he",
    "hi",
    "it",
    "ja",
    "ko",
    "nl",
    "pt",
    "th",
    "zh",
    "zh-Hant",
]
Action = Literal["approve", "edit", "reject"]

Headline = Annotated[str, Meta(title="Headline", max_length=90)]
Body = Annotated[str, Meta(title="Text", max_length=200)]
CallToAction = Annotated[str, Meta(title="Button", max_length=30)]


class AdInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of a run."""

    url: Annotated[
        str,
        Meta(
            title="Page",
            description="Public page of a product",
            max_length=2000,
            examples=["https://shop.example/coffee"],
            extra_json_schema={"format": "uri"},
        ),
    ]
    variants: Annotated[
        int, Meta(title="Variants", description="Number of different ads to propose", ge=1, le=10)
    ] = 3
    redo_rounds: Annotated[
        int, Meta(title="Redo rounds", description="How often a rejected variant is rewritten", ge=0, le=3)
    ] = 1
    sizes: Annotated[
        tuple[SizeName, ...],
        Meta(title="Sizes", description="Pixels, width x height", min_length=1, max_length=5),
    ] = SIZE_NAMES
    language: Annotated[
        Language, Meta(title="Language", description="auto: the language of the page"), Find()
    ] = "auto"
    two_people: Annotated[
        bool,
        Meta(
            title="Two people decide",
            description="Two people give the same decisions, neither of whom started the run",
        ),
    ] = False
    signed: Annotated[
        bool, Meta(title="Signed decisions", description="Every decision is signed with a passkey")
    ] = False

    def __post_init__(self) -> None:
        if not self.url.lower().startswith(("http://", "https://")):
            raise InvalidInput(
                f"url {self.url[:80]!r} must start with http:// or https://, "
                "for example https://shop.example/coffee",
                field="url",
            )
        if any(part.isspace() for part in self.url):
            raise InvalidInput(f"url {self.url[:80]!r} contains white space; enter one URL only", field="url")
        duplicates = [name for name in self.sizes if self.sizes.count(name) > 1]
        if duplicates:
            raise InvalidInput(f"size {duplicates[0]} occurs twice; name each size once", field="sizes")


class AdPicture(Struct, frozen=True, kw_only=True):
    """One image file: `artifact` is its name in the run, `key` its object key, `sha256` of its content."""

    size: SizeName
    artifact: str
    key: str
    size_bytes: int
    sha256: str = ""


class ScoreFeature(Struct, frozen=True, kw_only=True):
    """One part of a score: `points` of `max_points`, with an explanation."""

    name: str
    points: float
    max_points: float
    why: str


class AdScore(Struct, frozen=True, kw_only=True):
    """A heuristic score from 0 to 100; click-through rates were not measured."""

    points: float
    features: tuple[ScoreFeature, ...]
    label: str = "heuristic, not measured CTR"


class Ad(Struct, frozen=True, kw_only=True):
    """A variant as presented for approval.

    `version` counts its renderings from 1; `written_by` names the author of the text.
    """

    variant: str
    version: int
    headline: str
    body: str
    cta: str
    style: str
    pictures: tuple[AdPicture, ...]
    score: AdScore
    written_by: str
    source_picture: str
    skipped_sizes: tuple[str, ...] = ()


# The docstrings and descriptions of these two types are part of their JSON Schema, and thus of the digest
# that every decision refers to. Changing them invalidates decisions on pending approvals and breaks replay.
class VariantDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's word on one variant: approve, edit (give new text), reject (give the reason)."""

    variant: Annotated[str, Meta(title="Variant")]
    action: Annotated[Action, Meta(title="Action")]
    headline: Headline | None = None
    body: Body | None = None
    cta: CallToAction | None = None
    reason: (
        Annotated[
            str, Meta(title="Reason", description="What the next attempt should do better", max_length=500)
        ]
        | None
    ) = None


class VariantDecisions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision for every variant that was asked."""

    decisions: Annotated[tuple[VariantDecision, ...], Meta(title="Decisions", min_length=1, max_length=10)]


class Rejection(Struct, frozen=True, kw_only=True):
    variant: str
    reason: str
    headline: str


class AdResult(Struct, frozen=True, kw_only=True):
    """The approved ads, and the variants whose rejection is final."""

    approved: tuple[Ad, ...]
    rejected: tuple[Rejection, ...] = ()
    page: str = ""
    product: str = ""


class AdApproved(Struct, frozen=True, kw_only=True):
    """Data of `ad.approved`."""

    variant: str
    version: int
    page: str
    product: str
    headline: str
    body: str
    cta: str
    score: float
    pictures: tuple[AdPicture, ...]


class ReviewedPage(Struct, frozen=True, kw_only=True):
    """What the evidence states about the page that the ads are for."""

    page: str
    product: str


def approved_ads(answer: VariantDecisions, shown: ShownQuestion) -> list[AdApproved]:
    """Return the ads that a decision approves, as they are published."""
    page = msgspec.json.decode(shown.evidence, type=ReviewedPage)
    actions = {decision.variant: decision.action for decision in answer.decisions}
    ads = msgspec.json.decode(shown.options, type=tuple[Ad, ...])
    return [ad_to_publish(ad, page) for ad in ads if actions.get(ad.variant) == "approve"]


def ad_to_publish(ad: Ad, page: ReviewedPage) -> AdApproved:
    return AdApproved(
        variant=ad.variant,
        version=ad.version,
        page=page.page,
        product=page.product,
        headline=ad.headline,
        body=ad.body,
        cta=ad.cta,
        score=ad.score.points,
        pictures=ad.pictures,
    )


TWO_PEOPLE: Final = Policy(quorum=(Quorum(2),), exclude_starter=True)
SIGNED: Final = Policy(require_signature=True)
TWO_PEOPLE_SIGNED: Final = Policy(quorum=(Quorum(2),), exclude_starter=True, require_signature=True)
VARIANTS: Final = Approval(
    name="variants",
    title="Which ads should be published?",
    answer=VariantDecisions,
    deadline=timedelta(days=7),
    approves=approved_ads,
)


def policy_of(request: AdInput) -> Policy | None:
    """The policy that the input asks for; None for the contract's."""
    if request.two_people:
        return TWO_PEOPLE_SIGNED if request.signed else TWO_PEOPLE
    return SIGNED if request.signed else None


SPEC: Final = PipelineSpec(
    name="ad_creative",
    title="Ad creative",
    description="Creates ads in standard sizes from a product page, and publishes the approved ones.",
    subject="{url.page}",
    input=AdInput,
    result=AdResult,
    steps=(
        Step("extract_brand", "Read the page"),
        Step("write_copy", "Write the texts"),
        Step("match_images", "Choose pictures"),
        Step("compose", "Render the ads"),
        Step("approve", "Your decision"),
        Step("publish", "Publish"),
    ),
    approvals=(VARIANTS,),
    events=(DomainEvent("ad.approved", AdApproved, "An ad was approved; its pictures can be used."),),
    workflow="signalbox_pipelines.ad_creative.workflow:AdCreativeWorkflow",
    activities="signalbox_pipelines.ad_creative.activities:AdActivities",
)
