"""The HTML of the shop: product pages as real shops write them, with JSON-LD, OpenGraph and a style sheet."""

import json
from html import escape
from string import Template
from typing import Final

from signalbox_devstack.emulators.shop.catalogue import PRODUCTS, Product, ShopBrand

_PAGE: Final = Template("""<!doctype html>
<html lang="$language" dir="$direction">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$name – $brand</title>
<meta name="description" content="$description">
<meta name="theme-color" content="$primary">
<meta property="og:site_name" content="$brand">
<meta property="og:title" content="$name">
<meta property="og:description" content="$slogan">
<meta property="og:image" content="/pictures/$first">
<link rel="icon" href="/pictures/$logo">
<link rel="stylesheet" href="/style/$sheet.css">
<script type="application/ld+json">$linked</script>
</head>
<body>
<header><a href="/"><img class="logo" src="/pictures/$logo" alt="$brand logo" height="36"></a></header>
<main>
<img class="hero" src="/pictures/$first" alt="$first_alt">
<section>
<p class="brand">$brand</p>
<h1>$name</h1>
<p class="slogan">$slogan</p>
<p>$description</p>
<ul class="benefits">$benefits</ul>
<p class="price">$price <small>★ $rating ($reviews)</small></p>
<a class="button" href="#buy">$button</a>
<p class="shipping">$shipping</p>
</section>
<div class="gallery">$gallery</div>
</main>
<footer><img src="/pictures/pixel.gif" alt="" width="1" height="1"> © $brand</footer>
</body>
</html>
""")

_STYLE: Final = Template(""":root { --primary: $primary; --accent: $accent; --paper: $paper; }
* { box-sizing: border-box; }
body { margin: 0; background: $paper; color: #22262b; font: 18px/1.6 system-ui, sans-serif; }
header { padding: 20px 40px; border-bottom: 3px solid $primary; background: #fff; }
main { display: grid; grid-template-columns: 1fr 1fr; gap: 48px; max-width: 1160px; margin: 48px auto;
padding: 0 32px; }
img { max-width: 100%; }
.hero { border-radius: 20px; }
.brand { color: $accent; font-weight: 700; letter-spacing: .08em; text-transform: uppercase; }
h1 { color: $primary; font-size: 44px; line-height: 1.15; margin: 0; }
.slogan { font-size: 22px; color: $primary; }
.price { font-size: 30px; font-weight: 700; color: $primary; }
.price small { font-size: 16px; font-weight: 400; color: #6a6f76; }
.button { display: inline-block; padding: 14px 30px; border-radius: 999px;
  background: $accent; color: #fff; font-weight: 700; }
a { text-decoration: none; }
.button:hover { background: $primary; }
.gallery { grid-column: 1 / -1; display: grid; grid-template-columns: 1fr 1fr; gap: 24px; }
.gallery img { border-radius: 16px; }
footer { padding: 32px; text-align: center; color: #6a6f76; }
@media (max-width: 760px) { main { grid-template-columns: 1fr; } }
""")


def product_page(product: Product) -> str:
    """The page of one product."""
    first, first_alt = product.pictures[0]
    gallery = "".join(
        f'<img src="/pictures/{file}" alt="{escape(alt)}" loading="lazy">'
        for file, alt in product.pictures[1:]
    )
    return _PAGE.substitute(
        {name: escape(str(value)) for name, value in _fields(product).items()},
        linked=_linked_data(product),
        benefits="".join(f"<li>{escape(benefit)}</li>" for benefit in product.benefits),
        gallery=gallery,
        first=first,
        first_alt=escape(first_alt),
    )


def style_sheet(brand: ShopBrand) -> str:
    return _STYLE.substitute(primary=brand.primary, accent=brand.accent, paper=brand.paper)


def sheet_name(brand: ShopBrand) -> str:
    return brand.logo.removeprefix("logo-").removesuffix(".png")


def index_page() -> str:
    """A list of links to all products."""
    items = "".join(
        f'<li lang="{product.language}"><a href="/{product.path}">{escape(product.name)}</a> – '
        f"{escape(product.slogan)}</li>"
        for product in PRODUCTS
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo shop</title>'
    return f"{head}<h1>Demo shop</h1><ul>{items}</ul></html>"


def _fields(product: Product) -> dict[str, object]:
    brand = product.brand
    return {
        "language": product.language,
        "direction": "rtl" if product.language == "ar" else "ltr",
        "name": product.name,
        "brand": brand.name,
        "primary": brand.primary,
        "logo": brand.logo,
        "sheet": sheet_name(brand),
        "description": product.description,
        "slogan": product.slogan,
        "price": product.price_text,
        "rating": product.rating,
        "reviews": product.reviews,
        "button": product.button,
        "shipping": product.shipping,
    }


def _linked_data(product: Product) -> str:
    rating = {
        "@type": "AggregateRating",
        "ratingValue": product.rating.replace(",", "."),
        "reviewCount": product.reviews,
    }
    offer = {
        "@type": "Offer",
        "price": product.price,
        "priceCurrency": product.currency,
        "availability": "https://schema.org/InStock",
    }
    linked = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "slogan": product.slogan,
        "description": product.description,
        "brand": {
            "@type": "ShopBrand",
            "name": product.brand.name,
            "logo": f"/pictures/{product.brand.logo}",
        },
        "image": [f"/pictures/{file}" for file, _ in product.pictures],
        "offers": offer,
        "aggregateRating": rating,
    }
    return json.dumps(linked, ensure_ascii=False).replace("</", "<\\/")
