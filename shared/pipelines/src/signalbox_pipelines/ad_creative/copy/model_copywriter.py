"""Writing texts with a language model over the OpenAI-compatible HTTP API (Gemini, vLLM, Ollama and others speak it)."""

from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.chat_model.client import ModelClient
from signalbox_core.chat_model.settings import ModelSettings
from signalbox_core.chat_model.wire import Ask, Format, Message
from signalbox_core.errors import Unavailable
from signalbox_pipelines.ad_creative.copy.copywriter import (
    LONGEST_BODY,
    LONGEST_HEADLINE,
    Text,
    first_copy,
    next_copy,
)
from signalbox_pipelines.ad_creative.messages import Brand, Copy, CopyRequest

_SYSTEM: Final = (
    "You write short display ads. Use only the facts given; invent no number, claim or discount. "
    'Answer with JSON only: {"texts": [{"headline": "…", "body": "…"}]}. '
    f"A headline has at most {LONGEST_HEADLINE} characters, better 40; a body at most {LONGEST_BODY}, better 90."
)


class _Words(Struct, frozen=True):
    headline: str
    body: str = ""


class _Texts(Struct, frozen=True):
    texts: tuple[_Words, ...]


class ModelCopywriter:
    """One request writes all variants. Retries belong to the activity that calls it."""

    def __init__(self, settings: ModelSettings) -> None:
        self._client = ModelClient(settings)

    async def write(self, request: CopyRequest) -> tuple[Copy, ...]:
        """Write the texts.

        Raises:
            Rejected: the model's server refuses (wrong key, model or request).
            Unavailable: the model is away or slow (`RateLimited` when it says so), or `model_answer`: not the JSON asked for.
        """
        words = _read(await self._ask(_prompt(request)))
        wanted = len(request.redo) or request.count
        if len(words) < wanted:
            raise Unavailable(f"the model wrote {len(words)} usable texts of {wanted}", code="model_answer")
        written_by = f"model {self._client.settings.name}"
        brand = request.brand
        texts = [
            Text(angle=f"model: {word.headline}", headline=word.headline, body=word.body) for word in words
        ]
        if request.redo:
            return tuple(
                next_copy(redo, text, brand, written_by)
                for redo, text in zip(request.redo, texts, strict=False)
            )
        return tuple(first_copy(number, texts[number], brand, written_by) for number in range(wanted))

    async def _ask(self, prompt: str) -> str:
        messages = (Message("system", _SYSTEM), Message("user", prompt))
        answer = await self._client.answer(Ask(messages=messages, temperature=0.8, response_format=Format()))
        return (answer.choices[0].message.content or "") if answer.choices else ""


def _read(content: str) -> list[_Words]:
    try:
        bare = content.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        texts = msgspec.json.decode(bare.encode(), type=_Texts).texts
    except msgspec.DecodeError as error:
        raise Unavailable(
            "the model's answer is not the JSON that was asked for", code="model_answer"
        ) from error
    tidy = [_Words(" ".join(text.headline.split()), " ".join(text.body.split())) for text in texts]
    return [
        text for text in tidy if 0 < len(text.headline) <= LONGEST_HEADLINE and len(text.body) <= LONGEST_BODY
    ]


def _prompt(request: CopyRequest) -> str:
    lines = [
        f"Language: {'Vietnamese' if request.brand.language == 'vi' else 'English'}",
        *_facts(request.brand),
    ]
    if request.redo:
        lines.append(f"Write {len(request.redo)} new texts, one for each rejected one, in this order:")
        lines += [f"- rejected: {redo.headline!r}; because: {redo.reason!r}" for redo in request.redo]
    else:
        lines.append(f"Write {request.count} texts with different ideas.")
    return "\n".join(lines)


def _facts(brand: Brand) -> list[str]:
    rating = f"{brand.rating} of 5 from {brand.reviews} reviews" if brand.rating else ""
    named = {
        "Brand": brand.name,
        "Product": brand.product,
        "Slogan": brand.slogan,
        "Description": brand.description,
        "Price": brand.price,
        "Rating": rating,
        "Benefits": "; ".join(brand.benefits),
        "Shipping": brand.shipping,
    }
    return [f"{name}: {value}" for name, value in named.items() if value]
