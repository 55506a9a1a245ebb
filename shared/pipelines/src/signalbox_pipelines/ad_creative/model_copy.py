"""Writing texts with a language model over the OpenAI-compatible HTTP API (Gemini, vLLM, Ollama and others speak it)."""

from typing import Final

import httpx2
import msgspec
from msgspec import Struct
from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.settings import Secret

from signalbox_pipelines.ad_creative.copywriting import LONGEST_BODY, LONGEST_HEADLINE, Text, first_copy, next_copy
from signalbox_pipelines.ad_creative.exchange import Brand, Copy, CopyRequest

_RETRIABLE: Final = frozenset({408, 409, 425, 500, 502, 503, 504})
_SYSTEM: Final = (
    "You write short display ads. Use only the facts given; invent no number, claim or discount. "
    'Answer with JSON only: {"texts": [{"headline": "…", "body": "…"}]}. '
    f"A headline has at most {LONGEST_HEADLINE} characters, better 40; a body at most {LONGEST_BODY}, better 90."
)


class ModelSettings(Struct, frozen=True, kw_only=True):
    """Where the model answers: the base URL ends before `/chat/completions`."""

    url: str
    name: str
    api_key: Secret | None = None


class _Message(Struct, frozen=True):
    role: str
    content: str


class _Format(Struct, frozen=True):
    type: str = "json_object"


class _Ask(Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[_Message, ...]
    temperature: float = 0.8
    response_format: _Format = _Format()


class _Choice(Struct, frozen=True):
    message: _Message


class _Answer(Struct, frozen=True):
    choices: tuple[_Choice, ...]


class _Words(Struct, frozen=True):
    headline: str
    body: str = ""


class _Texts(Struct, frozen=True):
    texts: tuple[_Words, ...]


class ModelCopywriter:
    """One request writes all variants. Retries belong to the activity that calls it."""

    def __init__(self, settings: ModelSettings, *, timeout_s: float = 60.0) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    async def write(self, request: CopyRequest) -> tuple[Copy, ...]:
        """Write the texts.

        Raises:
            Rejected: `model_refused` (wrong key, model or request) or `model_answer` (not the JSON asked for; one retry is worth it).
            Unavailable: the model is away or slow (`RateLimited` when it says so).
        """
        words = _read(await self._ask(_prompt(request)))
        wanted = len(request.redo) or request.count
        if len(words) < wanted:
            raise Unavailable(f"the model wrote {len(words)} usable texts of {wanted}", code="model_answer")
        written_by = f"model {self._settings.name}"
        brand = request.brand
        texts = [Text(angle=f"model: {word.headline}", headline=word.headline, body=word.body) for word in words]
        if request.redo:
            return tuple(next_copy(redo, text, brand, written_by) for redo, text in zip(request.redo, texts, strict=False))
        return tuple(first_copy(number, texts[number], brand, written_by) for number in range(wanted))

    async def _ask(self, prompt: str) -> bytes:
        ask = _Ask(model=self._settings.name, messages=(_Message("system", _SYSTEM), _Message("user", prompt)))
        headers = {"Content-Type": "application/json"}
        if self._settings.api_key is not None:
            headers["Authorization"] = f"Bearer {self._settings.api_key.reveal()}"
        address = f"{self._settings.url.rstrip('/')}/chat/completions"
        try:
            async with httpx2.AsyncClient(timeout=self._timeout_s, trust_env=False) as client:
                answer = await client.post(address, content=msgspec.json.encode(ask), headers=headers)
        except httpx2.TransportError as error:
            raise Unavailable(
                f"the model at {address} does not answer ({type(error).__name__}); check SIGNALBOX_WORKER_MODEL_URL"
            ) from error
        if answer.status_code == 429:
            wait = answer.headers.get("retry-after", "")
            raise RateLimited(f"the model at {address} asks to slow down", retry_after_s=float(wait) if wait.isdigit() else 20.0)
        if answer.status_code in _RETRIABLE:
            raise Unavailable(f"the model at {address} has a problem of its own ({answer.status_code})")
        if answer.status_code != 200:
            detail = f"the model at {address} refuses ({answer.status_code}); check SIGNALBOX_WORKER_MODEL_NAME and _API_KEY"
            raise Rejected(detail, code="model_refused", status=answer.status_code)
        return answer.content


def _read(body: bytes) -> list[_Words]:
    try:
        content = msgspec.json.decode(body, type=_Answer).choices[0].message.content
        bare = content.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        texts = msgspec.json.decode(bare.encode(), type=_Texts).texts
    except (msgspec.DecodeError, IndexError) as error:
        raise Unavailable("the model's answer is not the JSON that was asked for", code="model_answer") from error
    tidy = [_Words(" ".join(text.headline.split()), " ".join(text.body.split())) for text in texts]
    return [text for text in tidy if 0 < len(text.headline) <= LONGEST_HEADLINE and len(text.body) <= LONGEST_BODY]


def _prompt(request: CopyRequest) -> str:
    lines = [f"Language: {'Vietnamese' if request.brand.language == 'vi' else 'English'}", *_facts(request.brand)]
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
