"""Ad copy written by a language model."""

from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.chat_model.client import ChatClient
from signalbox_core.chat_model.reasoning_filter import without_reasoning
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.wire import ChatMessage, ChatRequest, ResponseFormat
from signalbox_core.errors import Unavailable
from signalbox_pipelines.ad_creative.copy.copywriter import (
    MAX_BODY_CHARS,
    MAX_HEADLINE_CHARS,
    CopyIdea,
    first_copy,
    next_copy,
)
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES
from signalbox_pipelines.ad_creative.messages import AdCopy, BrandFacts, CopyRequest

_SYSTEM_PROMPT: Final = (
    "You write short display ads. Use only the facts given; invent no number, claim or discount. "
    'Answer with JSON only: {"texts": [{"headline": "…", "body": "…"}]}. '
    f"A headline has at most {MAX_HEADLINE_CHARS} characters, better 40; "
    f"a body at most {MAX_BODY_CHARS}, better 90."
)


class _ModelText(Struct, frozen=True):
    headline: str
    body: str = ""


class _ModelAnswer(Struct, frozen=True):
    texts: tuple[_ModelText, ...]


class ModelCopywriter:
    """Writes the texts of all variants in one request. It does not retry: Temporal retries the activity."""

    def __init__(self, settings: ChatModelSettings) -> None:
        self._client = ChatClient(settings)

    async def write(self, request: CopyRequest) -> tuple[AdCopy, ...]:
        """Write the texts.

        Raises:
            Rejected: the model's server rejected the request.
            Unavailable: the model is unavailable or rate-limited, or `model_answer`: too few usable texts.
        """
        texts = _parse_texts(await self._complete(_user_prompt(request)))
        wanted = len(request.redo) or request.count
        if len(texts) < wanted:
            raise Unavailable(
                f"the model wrote {len(texts)} usable texts, {wanted} are needed", code="model_answer"
            )
        written_by = f"model {self._client.settings.name}"
        brand = request.brand
        ideas = [
            CopyIdea(angle=f"model: {text.headline}", headline=text.headline, body=text.body)
            for text in texts
        ]
        if request.redo:
            return tuple(
                next_copy(redo, idea, brand, written_by)
                for redo, idea in zip(request.redo, ideas, strict=False)
            )
        return tuple(first_copy(number, ideas[number], brand, written_by) for number in range(wanted))

    async def _complete(self, prompt: str) -> str:
        messages = (ChatMessage("system", _SYSTEM_PROMPT), ChatMessage("user", prompt))
        completion = await self._client.complete(
            ChatRequest(messages=messages, temperature=0.8, response_format=ResponseFormat())
        )
        return without_reasoning(completion.choices[0].message.content or "") if completion.choices else ""


def _parse_texts(content: str) -> list[_ModelText]:
    """Return the texts that are within the length limits."""
    unfenced = content.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        answer = msgspec.json.decode(unfenced.encode(), type=_ModelAnswer)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unavailable(
            "the model's answer is not JSON of the requested form", code="model_answer"
        ) from error
    texts = [
        _ModelText(" ".join(text.headline.split()), " ".join(text.body.split())) for text in answer.texts
    ]
    return [
        text
        for text in texts
        if 0 < len(text.headline) <= MAX_HEADLINE_CHARS and len(text.body) <= MAX_BODY_CHARS
    ]


def _user_prompt(request: CopyRequest) -> str:
    lines = [f"Language: {PHRASES[request.brand.language].name}", *_list_facts(request.brand)]
    if request.redo:
        lines.append(f"Write {len(request.redo)} new texts, one for each rejected one, in this order:")
        lines += [f"- rejected: {redo.headline!r}; because: {redo.reason!r}" for redo in request.redo]
    else:
        lines.append(f"Write {request.count} texts with different ideas.")
    return "\n".join(lines)


def _list_facts(brand: BrandFacts) -> list[str]:
    facts = {
        "Brand": brand.name,
        "Product": brand.product,
        "Slogan": brand.slogan,
        "Description": brand.description,
        "Price": brand.price,
        "Rating": f"{brand.rating} of {brand.rating_best} from {brand.reviews} reviews"
        if brand.rating
        else "",
        "Benefits": "; ".join(brand.benefits),
        "Shipping": brand.shipping,
    }
    return [f"{name}: {value}" for name, value in facts.items() if value]
