"""Rules by language: detection, calls to action, prices, refusals and sentences."""

import pytest

from signalbox_pipelines.ad_creative.copy.language import (
    first_sentence,
    format_price,
    is_call_to_action,
)
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES, is_refusal_or_notice, mentions_shipping
from signalbox_pipelines.ad_creative.messages import PageLanguage
from signalbox_pipelines.ad_creative.page.facts import read_page
from support.fakes.ad_pages import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_fact_of_a_page_is_read_in_its_own_language(name: str) -> None:
    page = PAGES[name]
    facts = read_page(page.html().encode(), "https://acme.example/p", "utf-8")

    assert facts.language == page.lang.partition("-")[0]
    assert (facts.slogan, facts.benefits, facts.shipping) == (page.slogan, page.benefits, page.shipping)
    assert facts.cta == page.cta


@pytest.mark.parametrize(
    ("lang", "text", "language"),
    [
        pytest.param("en", "直火式エスプレッソメーカー", "ja", id="Japanese on a page that says English"),
        pytest.param("", "摩卡壶 意式咖啡壶", "zh", id="Chinese without a declaration"),
        pytest.param("ja", "極上珈琲", "ja", id="Japanese in Chinese characters"),
        pytest.param("zh-TW", "摩卡壺", "zh-Hant", id="traditional Chinese"),
        pytest.param("de-AT", "Kaffee", "de", id="a declared dialect"),
        pytest.param("en_US", "Cà phê Sương Mai, rang mới mỗi thứ Ba", "vi", id="Vietnamese letters"),
        pytest.param("fa", "قهوه جوش برقی", "en", id="a language that the table lacks"),
        pytest.param("pl", "Kawa", "en", id="Polish"),
        pytest.param("iw", "מקינטה", "he", id="the old code of Hebrew"),
        pytest.param("ar", "iPhone 15", "ar", id="a declared language with a Latin name"),
    ],
)
def test_the_language_of_a_page_is_that_of_its_letters_then_the_declared_one(
    lang: str, text: str, language: str
) -> None:
    html = f"<html lang='{lang}'><title>{text}</title>"

    assert read_page(html.encode(), "https://shop.example/p", "utf-8").language == language


@pytest.mark.parametrize(
    ("text", "language", "calls"),
    [
        ("Ajouter au panier", "fr", True), ("Ajouter aux favoris", "fr", False),
        ("In den Warenkorb", "de", True), ("Jetzt kaufen", "de", True), ("Anmelden", "de", False),
        ("Añadir al carrito", "es", True), ("Añadir a favoritos", "es", False),
        ("Aggiungi al carrello", "it", True), ("Aggiungi ai preferiti", "it", False),
        ("Adicionar ao carrinho", "pt", True), ("In winkelwagen", "nl", True),
        ("カートに入れる", "ja", True), ("今すぐ購入", "ja", True), ("レビューを見る", "ja", False),
        ("立即购买", "zh", True), ("收藏", "zh", False), ("加入購物車", "zh-Hant", True),
        ("장바구니 담기", "ko", True), ("로그인", "ko", False), ("หยิบใส่ตะกร้า", "th", True),
        ("เข้าสู่ระบบ", "th", False),
        ("أضف إلى السلة", "ar", True), ("اشترك في النشرة", "ar", False), ("اشتر الآن", "ar", True),
        ("הוסיפו לסל", "he", True), ("התחברות", "he", False), ("अभी खरीदें", "hi", True),
        ("Shop our sites", "en", False), ("Order status", "en", False), ("Contact lenses", "en", False),
        ("Try it now", "en", True), ("Try Club O for Free", "en", False), ("Toggle find", "en", False),
    ],
)  # fmt: skip
def test_a_call_to_action_is_one_to_buy_or_contact_in_the_language(
    text: str, language: PageLanguage, calls: bool
) -> None:
    assert is_call_to_action(text, language) is calls


@pytest.mark.parametrize("language", PHRASES)
def test_the_fixed_phrases_of_a_language_are_complete(language: PageLanguage) -> None:
    phrases = PHRASES[language]

    assert "{score}" in phrases.rating
    assert "{count}" in phrases.rating
    assert "{price}" in phrases.lowest
    assert is_call_to_action(phrases.details, language)


@pytest.mark.parametrize(
    ("amount", "currency", "language", "shown"),
    [
        ("1299.5", "EUR", "de", "1.299,50 €"), ("1299", "EUR", "fr", "1\u00a0299 €"),
        ("3980", "JPY", "ja", "¥3,980"),
        ("199", "CNY", "zh", "¥199"), ("199", "CNY", "en", "199 CNY"), ("120", "AED", "ar", "120 AED"),
        ("890", "THB", "th", "฿890"), ("99.9", "BRL", "pt", "R$99,90"), ("39000", "KRW", "ko", "₩39,000"),
    ],
)  # fmt: skip
def test_a_price_follows_the_rules_of_the_language(
    amount: str, currency: str, language: PageLanguage, shown: str
) -> None:
    assert format_price(amount, currency, language) == shown


@pytest.mark.parametrize(
    ("text", "language"),
    [("Leider ausverkauft", "de"), ("Rupture de stock", "fr"), ("申し訳ございません、品切れです", "ja"),
     ("已售罄", "zh"),
     ("품절되었습니다", "ko"), ("สินค้าหมด", "th"), ("نفدت الكمية", "ar"), ("This site uses cookies", "ja")],
)  # fmt: skip
def test_refusals_and_notices_are_no_benefits_in_any_language(text: str, language: PageLanguage) -> None:
    assert is_refusal_or_notice(text, language)


def test_positive_sentences_are_not_taken_for_refusals() -> None:
    assert not is_refusal_or_notice("Dishwasher-safe and ready to ship", "en")
    assert not is_refusal_or_notice("不可思议的轻", "en")
    assert mentions_shipping("送料無料", "ja")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("火にかけるだけ。簡単です。", "火にかけるだけ。"), ("पाँच मिनट। तैयार।", "पाँच मिनट।"),
     ("هل تعلم؟ نعم.", "هل تعلم؟"),
     ("Hot. Strong.", "Hot.")],
)  # fmt: skip
def test_sentences_end_at_the_signs_of_their_script(text: str, sentence: str) -> None:
    assert first_sentence(text, longest=40) == sentence
