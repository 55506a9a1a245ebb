"""The products of the shops, in English, Vietnamese, Arabic and Japanese."""

from typing import Final

from msgspec import Struct


class ShopBrand(Struct, frozen=True):
    """A shop: its name, logo file and style-sheet colours."""

    name: str
    logo: str
    primary: str
    accent: str
    paper: str


class Product(Struct, frozen=True, kw_only=True):
    """One product page."""

    path: str
    language: str
    brand: ShopBrand
    name: str
    slogan: str
    description: str
    price: str
    currency: str
    price_text: str
    rating: str
    reviews: int
    benefits: tuple[str, ...]
    shipping: str
    button: str
    pictures: tuple[tuple[str, str], ...]


SUONG_MAI: Final = ShopBrand("Sương Mai", "logo-suong-mai.png", "#1f4a3a", "#e08a2b", "#fbf3e2")
GOM_LAM: Final = ShopBrand("Gốm Lam", "logo-gom-lam.png", "#27407f", "#d9a05b", "#f3f6fc")
VELORIA: Final = ShopBrand("Veloria", "logo-veloria.png", "#1c2233", "#f0563f", "#f4f8fa")
DOM_DOM: Final = ShopBrand("Đom Đóm", "logo-dom-dom.png", "#17394a", "#d9a441", "#f7f3ea")

PRODUCTS: Final = (
    Product(
        path="en/coffee",
        language="en",
        brand=SUONG_MAI,
        name="Morning Mist Coffee",
        slogan="Slow-roasted mornings from the hills of Đà Lạt",
        description=(
            "Single-origin arabica, roasted in small batches every Tuesday. Notes of caramel, orange "
            "and cocoa."
        ),
        price="14.50",
        currency="USD",
        price_text="$14.50",
        rating="4.8",
        reviews=312,
        benefits=(
            "Roasted to order every Tuesday",
            "Grown at 1,500 m by 24 families",
            "Compostable bag, 340 g",
        ),
        shipping="Free shipping over $30",
        button="Shop the roast",
        pictures=(
            ("coffee-hero.jpg", "Green bag of Morning Mist Coffee with beans"),
            ("coffee-table.jpg", "Morning Mist Coffee bag and a steaming cup on a table"),
            ("coffee-beans.jpg", "Freshly roasted arabica beans"),
        ),
    ),
    Product(
        path="vi/ca-phe",
        language="vi",
        brand=SUONG_MAI,
        name="Cà phê Sương Mai",
        slogan="Buổi sáng thong thả từ những đồi cà phê Đà Lạt",
        description=(
            "Arabica nguyên bản Cầu Đất, rang mẻ nhỏ mỗi thứ Ba. Hương caramel, cam và ca cao dịu nhẹ."
        ),
        price="189000",
        currency="VND",
        price_text="189.000 ₫",
        rating="4,8",
        reviews=312,
        benefits=("Rang mới mỗi thứ Ba", "Trồng ở độ cao 1.500 m", "Túi giấy tự hủy 340 g"),
        shipping="Miễn phí giao hàng từ 500.000 ₫",
        button="Mua ngay",
        pictures=(
            ("coffee-hero.jpg", "Túi cà phê Sương Mai màu xanh và hạt cà phê"),
            ("coffee-table.jpg", "Túi cà phê Sương Mai và tách cà phê nóng trên bàn"),
            ("coffee-beans.jpg", "Hạt arabica mới rang"),
        ),
    ),
    Product(
        path="ar/qahwa",
        language="ar",
        brand=SUONG_MAI,
        name="قهوة ضباب الصباح 340 غ",
        slogan="صباح هادئ من تلال دا لات",
        description="بن أرابيكا من مصدر واحد، يحمّص كل ثلاثاء. نكهات الكراميل والبرتقال والكاكاو.",
        price="55",
        currency="AED",
        price_text="55 AED",
        rating="4.8",
        reviews=312,
        benefits=("يحمّص عند الطلب كل ثلاثاء", "يزرع على ارتفاع 1500 متر", "كيس قابل للتحلل"),
        shipping="شحن مجاني للطلبات فوق 200 درهم",
        button="أضف إلى السلة",
        pictures=(
            ("coffee-hero.jpg", "كيس أخضر من قهوة ضباب الصباح مع حبوب البن"),
            ("coffee-table.jpg", "كيس القهوة وفنجان ساخن على الطاولة"),
        ),
    ),
    Product(
        path="ja/kohi",
        language="ja",
        brand=SUONG_MAI,
        name="朝もやコーヒー 340g",
        slogan="ダラットの丘から届く、ゆっくり焙煎の朝。",
        description="シングルオリジンのアラビカ豆を毎週火曜日に少量焙煎。キャラメルとオレンジ、カカオの香り。",
        price="2180",
        currency="JPY",
        price_text="¥2,180",
        rating="4.8",
        reviews=312,
        benefits=("毎週火曜日に注文焙煎", "標高1,500mで栽培", "土に還る「コンポスト袋」"),
        shipping="5,000円以上のご注文で送料無料",
        button="カートに入れる",
        pictures=(
            ("coffee-hero.jpg", "朝もやコーヒーの緑の袋とコーヒー豆"),
            ("coffee-table.jpg", "コーヒーの袋と湯気の立つカップ"),
        ),
    ),
    Product(
        path="vi/coc-gom",
        language="vi",
        brand=GOM_LAM,
        name="Cốc gốm vẽ tay Lá Trúc",
        slogan="Mỗi chiếc cốc là một nét vẽ không lặp lại",
        description=(
            "Gốm Bát Tràng tráng men trắng, họa tiết lá trúc vẽ tay bằng men lam. Dùng được với lò vi "
            "sóng và máy rửa chén."
        ),
        price="245000",
        currency="VND",
        price_text="245.000 ₫",
        rating="4,9",
        reviews=128,
        benefits=("Vẽ tay tại Bát Tràng", "Men không chì, an toàn cho sức khỏe", "Dung tích 280 ml"),
        shipping="Đổi mới miễn phí nếu vỡ khi vận chuyển",
        button="Chọn cốc của bạn",
        pictures=(
            ("cup-hero.jpg", "Cốc gốm vẽ tay Lá Trúc đựng trà xanh"),
            ("cup-pair.jpg", "Hai chiếc cốc gốm Lá Trúc trên bàn gỗ"),
        ),
    ),
    Product(
        path="en/cup",
        language="en",
        brand=GOM_LAM,
        name="Bamboo Leaf Cup",
        slogan="Painted by hand, never twice the same",
        description=(
            "A white porcelain cup from Bát Tràng with cobalt bamboo leaves, painted by hand before "
            "the last firing."
        ),
        price="18.00",
        currency="USD",
        price_text="$18.00",
        rating="4.9",
        reviews=128,
        benefits=("Hand-painted in Bát Tràng", "Lead-free glaze", "Holds 280 ml"),
        shipping="Broken on the way? We replace it",
        button="Choose your cup",
        pictures=(
            ("cup-hero.jpg", "Bamboo Leaf Cup filled with green tea"),
            ("cup-pair.jpg", "Two Bamboo Leaf cups on a wooden table"),
        ),
    ),
    Product(
        path="en/bicycle",
        language="en",
        brand=VELORIA,
        name="Veloria City 7",
        slogan="The whole city, seven easy gears",
        description=(
            "A light steel city bicycle with seven hub gears, a leather saddle and lights that never "
            "need charging."
        ),
        price="690",
        currency="EUR",
        price_text="€690",
        rating="4.7",
        reviews=86,
        benefits=("Only 11.8 kg", "Seven maintenance-free hub gears", "Ten-year frame warranty"),
        shipping="Delivered assembled in 5 days",
        button="Book a test ride",
        pictures=(
            ("bicycle-hero.jpg", "Coral Veloria City 7 bicycle"),
            ("bicycle-street.jpg", "Veloria City 7 bicycle in front of city houses"),
        ),
    ),
    Product(
        path="vi/den-ban",
        language="vi",
        brand=DOM_DOM,
        name="Đèn bàn Đom Đóm",
        slogan="Ánh sáng ấm cho những buổi tối yên tĩnh",
        description=(
            "Đèn bàn thân đồng, chụp tráng men xanh, ánh sáng 2700 K. Xoay ba khớp, chỉnh độ sáng bằng "
            "một chạm."
        ),
        price="1290000",
        currency="VND",
        price_text="1.290.000 ₫",
        rating="4,7",
        reviews=64,
        benefits=("Ánh sáng 2700 K không nhấp nháy", "Thân đồng nguyên khối", "Bảo hành 5 năm"),
        shipping="Miễn phí vận chuyển toàn quốc",
        button="Đặt mua đèn",
        pictures=(
            ("lamp-hero.jpg", "Đèn bàn Đom Đóm thân đồng đang sáng"),
            ("lamp-desk.jpg", "Đèn bàn Đom Đóm và sách trên bàn làm việc"),
        ),
    ),
)
