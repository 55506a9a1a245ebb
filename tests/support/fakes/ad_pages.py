"""Product pages in the scripts of the world, and what drawing them needs on this machine."""

import io
import json
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct
from PIL import Image, ImageDraw, features

from signalbox_pipelines.ad_creative.design.fonts import DEFAULT_FOLDERS, FontSelection
from signalbox_pipelines.ad_creative.messages import BrandFacts, Palette
from signalbox_pipelines.ad_creative.page.facts import build_brand, read_page

FONTS: Final = FontSelection(folders=DEFAULT_FOLDERS)
PALETTE: Final = Palette(primary="#0a5c4a", accent="#d9480f", paper="#fbf3e2")


class ProductPage(Struct, frozen=True, kw_only=True):
    """The texts of a page. `font` is the file that its script needs beside the bundled fonts."""

    lang: str
    name: str
    description: str
    price: str
    currency: str
    slogan: str
    benefits: tuple[str, ...]
    shipping: str
    cta: str
    font: str = ""

    def html(self) -> str:
        data = {
            "@type": "Product",
            "name": self.name,
            "brand": "Acme",
            "description": self.description,
            "slogan": self.slogan,
            "image": "/a.jpg",
            "offers": {"price": self.price, "priceCurrency": self.currency},
            "aggregateRating": {"ratingValue": "4.8", "reviewCount": "312"},
        }
        benefits = "".join(f"<li>{benefit}</li>" for benefit in self.benefits)
        return (
            f'<html lang="{self.lang}"><head><meta charset="utf-8"><title>{self.name} | Acme</title>'
            f'<script type="application/ld+json">{json.dumps(data)}</script></head><body><main>'
            f'<ul class="benefits">{benefits}</ul><p>{self.shipping}</p>'
            f'<button class="btn">{self.cta}</button></main></body></html>'
        )

    def brand(self, fonts: FontSelection = FONTS) -> BrandFacts:
        facts = read_page(self.html().encode(), "https://acme.example/p", "utf-8", today=date(2026, 11, 30))
        return build_brand(facts, "https://acme.example/p", PALETTE, None, fonts)

    def require_fonts(self) -> None:
        """Skip the test where the machine cannot draw the page."""
        if not features.check("raqm"):
            pytest.skip("Pillow finds no FriBiDi: python tools/fonts.py installs it, or says why not")
        if self.font and not any(next(Path(folder).rglob(self.font), None) for folder in FONTS.folders):
            pytest.skip(f"no {self.font}: python tools/fonts.py installs it, or says why not")


_CJK: Final = "NotoSansCJK-Bold.ttc"
PAGES: Final = {
    "vietnamese": ProductPage(
        lang="vi", name="Cà phê Sương Mai", description="Arabica Cầu Đất, rang mẻ nhỏ mỗi thứ Ba.",
        price="189000", currency="VND", slogan="Buổi sáng thong thả",
        benefits=("Rang mới mỗi thứ Ba", "Trồng ở độ cao 1.500 m"),
        shipping="Miễn phí giao hàng từ 500.000 ₫", cta="Mua ngay",
    ),
    "english": ProductPage(
        lang="en", name="Morning Mist Coffee", description="Single-origin arabica, roasted weekly.",
        price="14.50", currency="USD", slogan="Slow-roasted mornings",
        benefits=("Roasted every Tuesday", "Grown at 1,500 m"), shipping="Free shipping over $30",
        cta="Add to cart",
    ),
    "arabic": ProductPage(
        lang="ar", name="غلاية القهوة الكهربائية Acme 6",
        description="قهوة قوية لستة أشخاص في خمس دقائق، بمقبض مقاوم للحرارة.", price="120", currency="AED",
        slogan="قهوتك جاهزة في خمس دقائق", benefits=("مقبض مقاوم للحرارة", "تتسع لـ 6 أكواب (300 مل)"),
        shipping="شحن مجاني للطلبات فوق 200 درهم", cta="أضف إلى السلة",
    ),
    "hebrew": ProductPage(
        lang="he", name="מקינטה ל־6 כוסות", description="קפה חזק לשישה אנשים בחמש דקות.", price="120",
        currency="ILS", slogan="הקפה שלכם מוכן בחמש דקות", benefits=("ידית עמידה בחום", "מתאים ל-6 כוסות"),
        shipping="משלוח חינם מעל ₪200", cta="הוסיפו לסל",
    ),
    "thai": ProductPage(
        lang="th", name="หม้อต้มกาแฟเอสเปรสโซ 6 ถ้วย",
        description="กาแฟเข้มข้นสำหรับหกคนภายในห้านาที ทำความสะอาดง่าย",
        price="890", currency="THB", slogan="เช้าที่สดชื่นเริ่มต้นด้วยกาแฟเข้มข้น",
        benefits=("ด้ามจับทนความร้อน ไม่ลวกมือ", "ใช้ได้กับเตาแม่เหล็กไฟฟ้า"),
        shipping="จัดส่งฟรีเมื่อซื้อครบ 500 บาท", cta="หยิบใส่ตะกร้า",
    ),
    "hindi": ProductPage(
        lang="hi", name="स्टोवटॉप एस्प्रेसो मेकर", description="पाँच मिनट में छह लोगों के लिए तेज़ कॉफ़ी।",
        price="1899", currency="INR", slogan="हर सुबह ताज़ी कॉफ़ी के साथ",
        benefits=("गर्मी प्रतिरोधी हैंडल", "डिशवॉशर में धोने योग्य"), shipping="₹500 से ऊपर मुफ़्त डिलीवरी",
        cta="अभी खरीदें",
    ),
    "japanese": ProductPage(
        lang="ja", name="直火式エスプレッソメーカー 六杯用",
        description="火にかけるだけで濃いコーヒーが楽しめます。お手入れも簡単です。",
        price="3980", currency="JPY",
        slogan="朝の一杯を、もっと濃く、もっと香り高く。",
        benefits=("IH・ガス火どちらにも対応", "持ち手が熱くならない設計「クールハンドル」"),
        shipping="5,000円以上のご注文で送料無料", cta="カートに入れる", font=_CJK,
    ),
    "chinese": ProductPage(
        lang="zh-CN", name="摩卡壶 六杯份 意式浓缩咖啡壶",
        description="只需放在炉火上，五分钟即可享用浓郁咖啡。",
        price="199", currency="CNY", slogan="清晨第一杯，浓郁又香醇",
        benefits=("耐热手柄，不烫手", "电磁炉、燃气灶均可使用"), shipping="满200元包邮", cta="加入购物车",
        font=_CJK,
    ),
    "korean": ProductPage(
        lang="ko", name="모카포트 6인용 에스프레소 메이커",
        description="5분이면 여섯 명이 마실 진한 커피가 완성됩니다.", price="39000", currency="KRW",
        slogan="아침을 깨우는 진한 커피 한 잔", benefits=("뜨거워지지 않는 손잡이", "식기세척기 사용 가능"),
        shipping="3만원 이상 무료 배송", cta="장바구니 담기", font=_CJK,
    ),
    "emoji": ProductPage(
        lang="en", name="🔥🔥 Stovetop Espresso Maker ☕", description="Made with ❤️ in 🇮🇹 for six 🎉.",
        price="24.90", currency="EUR", slogan="Wake up 👨‍👩‍👧 happy ☀️",
        benefits=("Heat-resistant handle 👍🏽", "1️⃣ minute to clean"), shipping="🚚 Free shipping over €30",
        cta="Buy now 🛒", font="NotoColorEmoji.ttf",
    ),
}  # fmt: skip


def picture_of_a_cup() -> bytes:
    image = Image.new("RGB", (1200, 1000), (232, 222, 205))
    draw = ImageDraw.Draw(image)
    draw.ellipse((400, 280, 800, 740), fill=(90, 58, 38))
    draw.ellipse((440, 320, 760, 520), fill=(44, 26, 16))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()
