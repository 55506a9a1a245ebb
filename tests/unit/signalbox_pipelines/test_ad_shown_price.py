"""Prices that a page shows to people: read where the data states none, and left out in doubt."""

from datetime import date

import pytest

from signalbox_pipelines.ad_creative.page.facts import PageFacts, read_page

HEAD = "<html lang='{lang}'><head><title>Blue cup | Lam</title></head><body>"
MAIN = "<div class='product-page'><h1>Blue cup</h1>{price}</div>"
RELATED_BEFORE = "<ul class='menu-products'><li><span class='price'>$3.00</span></li></ul>"
RELATED_AFTER = "<div class='related-products'><span class='price'>$9.00</span></div>"


def read(body: str, lang: str = "en") -> PageFacts:
    html = HEAD.format(lang=lang) + body
    return read_page(html.encode(), "https://shop.example/p", "utf-8", today=date(2026, 11, 30))


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        pytest.param("<p class='price'>$18.50</p>", "$18.50", id="plain"),
        pytest.param("<p class='price'>66,75 €</p>", "66,75 €", id="decimal comma"),
        pytest.param("<p id='our-price'>44 890 тг.</p>", "44 890 тг.", id="spaces as groups"),
        pytest.param("<p class='price'>EUR110.00</p>", "EUR110.00", id="code before"),
        pytest.param("<p class='price'>2,900원</p>", "2,900원", id="sign after"),
        pytest.param("<p class='preis'>CHF 12,-</p>", "CHF 12,-", id="no cents"),
        pytest.param("<p class='price'>Online: $249.990</p>", "$249.990", id="a word before"),
        pytest.param("<p class='price'>978,00 € / tk</p>", "978,00 €", id="per piece"),
        pytest.param("<p><del class='price'>$40</del> <ins class='price'>$30</ins></p>", "$30", id="deleted"),
        pytest.param(
            "<p class='old-price'>540,00 Kn</p><p class='new-price'>270,00 Kn</p>", "270,00 Kn", id="old, new"
        ),
        pytest.param("<b class='price-was'>£9</b><b class='price-now'>£7</b>", "£7", id="was, now"),
        pytest.param(
            "<p class='delivery-price'>£3.50</p><p class='price'>£14.99</p>", "£14.99", id="delivery first"
        ),
        pytest.param("<span itemprop='price'>€40.00</span>", "€40.00", id="microdata without a scope"),
        pytest.param(
            "<div class='price'><script>var price = 7;</script><span>$</span><span>5.00</span></div>",
            "$ 5.00",
            id="script inside",
        ),
    ],
)
def test_the_price_after_the_heading_is_read_as_it_is_written(price: str, shown: str) -> None:
    assert read(RELATED_BEFORE + MAIN.format(price=price) + RELATED_AFTER).price == shown


@pytest.mark.parametrize(
    "price",
    [
        pytest.param("", id="only other products have a price"),
        pytest.param("<p class='unit-price'>£73.00 per 100ml</p>", id="price of a unit"),
        pytest.param("<p class='price'>$4 / kg</p>", id="price of a kilogram"),
        pytest.param("<p class='price'>$12 per month</p>", id="instalment"),
        pytest.param("<p class='price'>$10 – $20</p>", id="range"),
        pytest.param("<p class='price'>18.50</p>", id="no currency"),
        pytest.param("<p class='price'>20 % off</p>", id="discount"),
        pytest.param("<p class='save-price'>$5</p>", id="saving"),
        pytest.param("<a href='/other'><span class='price'>$5</span></a>", id="link to another product"),
        pytest.param("<p class='stock'>Sold out</p><p class='price'>$18</p>", id="sold out"),
        pytest.param("<p class='shipping'>Free over <b class='price'>$50</b></p><p>x</p>", id="threshold"),
    ],
)
def test_no_price_is_claimed_in_doubt(price: str) -> None:
    assert read(RELATED_BEFORE + MAIN.format(price=price) + RELATED_AFTER).price == ""


def test_a_product_that_is_sold_out_in_the_language_of_the_page_has_no_price() -> None:
    page = MAIN.format(price="<p class='availability'>Ausverkauft</p><p class='price'>18,00 €</p>")

    assert read(page, "de").price == ""
    assert read(page.replace("Ausverkauft", "Auf Lager"), "de").price == "18,00 €"


def test_data_takes_precedence_over_the_shown_price() -> None:
    data = '{"@type": "Product", "name": "Blue cup", "offers": {"price": "17", "priceCurrency": "USD"%s}}'
    page = "<script type='application/ld+json'>%s</script>" + MAIN.format(price="<p class='price'>$18</p>")

    assert read(page % (data % "")).price == "$17"
    assert read(page % (data % ', "availability": "OutOfStock"')).price == ""


def test_the_heading_of_the_product_is_found_among_others() -> None:
    facts = read(
        "<h1>Adding to cart …</h1><p class='price'>$1.00</p>" + MAIN.format(price="<p class='price'>$18</p>")
    )

    assert (facts.product, facts.price) == ("Blue cup", "$18")


def test_the_lowest_price_of_an_aggregate_counts_when_its_offers_state_none() -> None:
    facts = read(
        '<script type="application/ld+json">{"@type": "Product", "name": "Cup", "offers": {"@type": '
        '"AggregateOffer", "lowPrice": "12", "highPrice": "20", "priceCurrency": "USD", '
        '"offers": [{"url": "/a"}, {"url": "/b"}]}}</script>'
    )

    assert facts.price == "from $12"
