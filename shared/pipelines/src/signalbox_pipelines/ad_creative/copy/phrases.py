"""Fixed phrases of an ad, and the words by which parts of a page are recognised, in each language."""

import re
from functools import cache
from typing import Final, Literal

from msgspec import Struct

from signalbox_pipelines.ad_creative.messages import PageLanguage


class Phrases(Struct, frozen=True, kw_only=True):
    """One language.

    Attributes:
        name: for the prompt of a language model.
        details: the button where the page has no call to action.
        calls: beginnings of calls to buy or to contact the seller.
        rating: a headline with `{score}` and `{count}`, correct for any count.
        lowest: the lowest of several prices, with `{price}`.
        shipping: words of sentences about delivery and returns.
        refusals: words of sentences that refuse something, and of a site's own notices.
        is_spaced: whether words are separated by spaces.
        is_latin: whether it is written in Latin letters.
        symbol_last: whether the symbol of a currency follows the number.
    """

    name: str
    details: str
    calls: str
    rating: str
    lowest: str
    shipping: str
    refusals: str
    is_spaced: bool = True
    is_latin: bool = True
    symbol_last: bool = False
    group: str = ","
    decimal: str = "."


PHRASES: Final[dict[PageLanguage, Phrases]] = {
    "en": Phrases(
        name="English",
        details="See details",
        calls=r"shop(?! our)|buy|order(?! (?:status|history|tracking|number))|pre-?order|book"
        r"|reserve|try(?: it| now| today| free| before| for free|$)"
        r"|choose your|contact(?! lens)|call(?! to action)|enquire|inquire|add to (?:cart|basket|bag"
        r"|trolley)"
        r"|get (?:it|yours|a quote|started|now)|request (?:a|your)",
        rating="Rated {score} by {count} buyers",
        lowest="from {price}",
        shipping=r"shipping|shipped|delivery|delivered|returns?",
        refusals=r"sorry|unfortunately|unavailable|sold out|out of stock|discontinued|no longer"
        r"|not (?:available|included|eligible|covered)|cannot|can't|won't|excluded|excludes"
        r"|no (?:returns?|refunds?|shipping|delivery|exchanges?|longer|warranty)|non-?(?:refundable"
        r"|returnable)"
        r"|final sale|cookies?|consent|privacy|newsletter|javascript|browser|log ?in|sign ?in|password"
        r"|copyright",
    ),
    "vi": Phrases(
        name="Vietnamese",
        details="Xem chi tiết",
        calls=r"mua|đặt (?:mua|hàng|ngay|lịch|chỗ|trước)|chọn|thử|thêm vào|liên hệ|gọi"
        r"|nhận (?:báo giá|tư vấn)|đăng ký",
        rating="{count} khách hàng chấm {score}",
        lowest="từ {price}",
        shipping=r"giao hàng|vận chuyển|đổi trả|freeship",
        refusals=r"hết hàng|ngừng bán|không (?:áp dụng|đổi trả|hoàn|giao|bao gồm|hỗ trợ)|chưa bao gồm"
        r"|rất tiếc"
        r"|xin lỗi|quyền riêng tư|đăng nhập|mật khẩu",
        group=".",
        decimal=",",
    ),
    "ar": Phrases(
        name="Arabic",
        details="عرض التفاصيل",
        calls=r"اشتر(?!ك)|شراء|تسو[ّ]?ق|اطلب|أطلب|أضف إلى|أضف الى|إضافة إلى|احجز|تواصل|اتصل|جر[ّ]?ب"
        r"|احصل على",
        rating="التقييم {score} (عدد التقييمات: {count})",
        lowest="ابتداءً من {price}",
        shipping=r"شحن|الشحن|توصيل|التوصيل|إرجاع|الإرجاع",
        refusals=r"غير متوفر|غير متاح|غير قابل|نفد|نفدت|نفذت|عذر[اً]+|نأسف|لا يشمل|لا يمكن"
        r"|ملفات تعريف الارتباط"
        r"|الخصوصية|تسجيل الدخول|كلمة المرور",
        is_latin=False,
    ),
    "de": Phrases(
        name="German",
        details="Details ansehen",
        calls=r"(?:jetzt |hier |gleich |sofort |online )?(?:kaufen|bestellen|vorbestellen|reservieren"
        r"|buchen"
        r"|anfragen|sichern|testen|shoppen|probieren)|in den (?:waren|einkaufs)korb|in die einkaufstasche"
        r"|zum angebot|kontaktieren|kontakt aufnehmen|rufen sie|angebot anfordern",
        rating="Mit {score} bewertet ({count})",
        lowest="ab {price}",
        shipping=r"versand|versandkostenfrei|lieferung|geliefert|rückgabe|rücksendung|retoure",
        refusals=r"leider|ausverkauft|vergriffen|nicht (?:verfügbar|lieferbar|enthalten|möglich"
        r"|inbegriffen)"
        r"|ausgeschlossen|keine? (?:rückgabe|rücksendung|lieferung|garantie)|cookies?|datenschutz|anmelden"
        r"|einloggen|passwort|newsletter",
        symbol_last=True,
        group=".",
        decimal=",",
    ),
    "es": Phrases(
        name="Spanish",
        details="Ver detalles",
        calls=r"compr(?:ar|a)|(?:añad(?:ir|e)|agregar) (?:al?|a la|a mi) (?:carr\w+|cesta|bolsa)"
        r"|pedir|pide|reserv(?:ar|a)|probar|prueba"
        r"|contact(?:ar|a|e)"
        r"|llam(?:ar|a)|solicit(?:ar|a)|encargar",
        rating="Valoración {score} ({count})",
        lowest="desde {price}",
        shipping=r"envíos?|entregas?|devoluci(?:ón|ones)",
        refusals=r"lo sentimos|agotad[oa]s?|sin existencias|no (?:disponible|incluid[oa]|incluye"
        r"|se admiten)"
        r"|cookies?|privacidad|iniciar sesión|contraseña",
        symbol_last=True,
        group=".",
        decimal=",",
    ),
    "fr": Phrases(
        name="French",
        details="Voir les détails",
        calls=r"achet(?:er|ez)|j.achète|command(?:er|ez)|je commande|précommander|ajouter au panier"
        r"|réserve[rz]|essaye[rz]"
        r"|contacte[rz]|nous contacter|appele[rz]|demande[rz] un",
        rating="Noté {score} ({count} avis)",
        lowest="à partir de {price}",
        shipping=r"livraison|livrée?s?|expédition|retours?",
        refusals=r"désolée?s?|malheureusement|épuisée?s?|rupture de stock|indisponibles?"
        r"|non (?:disponible|inclus"
        r"|remboursable|échangeable)|ne (?:sont|peut|comprend)|cookies?|confidentialité|connexion"
        r"|mot de passe",
        symbol_last=True,
        group="\u00a0",
        decimal=",",
    ),
    "he": Phrases(
        name="Hebrew",
        details="לפרטים נוספים",
        calls=r"קנ[הוי]|לקנייה|לרכישה|רכשו|הזמ[נן]|הזמינו|להזמנה|הוס[ףפ]|הוסיפו|הוספה ל|צור קשר|צרו קשר"
        r"|התקשרו|נסו",
        rating="דירוג {score} (מספר ביקורות: {count})",
        lowest="החל מ־{price}",
        shipping=r"משלוח|המשלוח|משלוחים|החזרה|החזרות",
        refusals=r"אזל|אינו זמין|לא זמין|לא ניתן|אינו כולל|מצטערים|עוגיות|פרטיות|התחברות|סיסמה",
        is_latin=False,
    ),
    "hi": Phrases(
        name="Hindi",
        details="विवरण देखें",
        calls=r"(?:अभी )?(?:खरीद|ख़रीद)|कार्ट में|बैग में|ऑर्डर|बुक कर|संपर्क|आज़मा",
        rating="रेटिंग {score} (समीक्षाएँ: {count})",
        lowest="{price} से",
        shipping=r"डिलीवरी|शिपिंग|वापसी",
        refusals=r"स्टॉक में नहीं|उपलब्ध नहीं|शामिल नहीं|नहीं है|क्षमा|खेद|कुकी|गोपनीयता|लॉग ?इन|पासवर्ड",
        is_latin=False,
    ),
    "it": Phrases(
        name="Italian",
        details="Vedi i dettagli",
        calls=r"acquist[ai]|compra|aggiungi al carrello|ordina|preordina|prenota|prova|contatta"
        r"|chiama|richiedi",
        rating="Valutazione {score} ({count})",
        lowest="da {price}",
        shipping=r"spedizion[ei]|consegna|res[oi]",
        refusals=r"spiacenti|purtroppo|esaurit[oaie]|non (?:disponibil[ei]|inclus[oaie]"
        r"|rimborsabil[ei])|cookie"
        r"|privacy|accedi|password",
        symbol_last=True,
        group=".",
        decimal=",",
    ),
    "ja": Phrases(
        name="Japanese",
        details="詳細を見る",
        calls=r"(?:今すぐ|いますぐ)?(?:ご?購入|ご?注文|買う|ご?予約|申し?込)"
        r"|(?:ショッピング)?カートに|買い物かごに|かごに入れる"
        r"|バッグに|お?問い?合わ?せ|試す|お試し",
        rating="評価{score}（{count}件）",
        lowest="{price}から",
        shipping=r"送料|配送|お届け|返品",
        refusals=r"売り切れ|在庫切れ|品切れ|完売|申し訳|できません|いたしかねます|対象外"
        r"|含まれません|不可|クッキー"
        r"|Cookie|プライバシー|ログイン|パスワード",
        is_spaced=False,
        is_latin=False,
    ),
    "ko": Phrases(
        name="Korean",
        details="자세히 보기",
        calls=r"(?:바로|지금) ?(?:구매|주문|예약)|구매|주문하기|예약|장바구니|문의|상담|체험",
        rating="평점 {score} (리뷰 {count}개)",
        lowest="{price}부터",
        shipping=r"배송|반품|교환",
        refusals=r"품절|재고 없음|죄송|불가|제외|쿠키|개인정보|로그인|비밀번호",
        is_latin=False,
    ),
    "nl": Phrases(
        name="Dutch",
        details="Bekijk details",
        calls=r"(?:nu |direct )?(?:kopen|bestellen|reserveren|boeken|proberen)|koop|bestel|reserveer"
        r"|boek|probeer"
        r"|in (?:mijn )?winkel(?:wagen|mand)|toevoegen aan (?:de )?winkel\w+|neem contact|offerte",
        rating="Beoordeeld met {score} ({count})",
        lowest="vanaf {price}",
        shipping=r"verzending|verzonden|bezorging|bezorgd|levering|retour(?:neren)?",
        refusals=r"helaas|uitverkocht|niet (?:beschikbaar|leverbaar|inbegrepen|mogelijk)|cookies?"
        r"|privacy|inloggen"
        r"|wachtwoord",
        group=".",
        decimal=",",
    ),
    "pt": Phrases(
        name="Portuguese",
        details="Ver detalhes",
        calls=r"compr(?:ar|e)|adicionar (?:ao carrinho|à sacola|ao cesto)|encomendar|pedir|peça"
        r"|reserv(?:ar|e)|experiment(?:ar|e)"
        r"|contact(?:ar|e)"
        r"|contat[eo]|fale con[no]osco|ligue|solicit(?:ar|e)",
        rating="Avaliação {score} ({count})",
        lowest="a partir de {price}",
        shipping=r"entregas?|fretes?|envios?|devoluç(?:ão|ões)",
        refusals=r"esgotad[oa]s?|indisponível|infelizmente|lamentamos|sem estoque|não (?:disponível"
        r"|inclui|incluso"
        r"|é possível)|cookies?|privacidade|entrar|senha",
        group=".",
        decimal=",",
    ),
    "th": Phrases(
        name="Thai",
        details="ดูรายละเอียด",
        calls=r"ซื้อ|สั่งซื้อ|สั่งจอง|สั่งเลย|หยิบใส่|ใส่ตะกร้า|เพิ่มลง|เพิ่มใน|จอง|ติดต่อ|สอบถาม|ทดลอง"
        r"|ช้อป",
        rating="คะแนน {score} จาก {count} รีวิว",
        lowest="เริ่มต้น {price}",
        shipping=r"จัดส่ง|ส่งฟรี|ค่าส่ง|คืนสินค้า",
        refusals=r"สินค้าหมด|หมดสต็อก|ขออภัย|ไม่สามารถ|ไม่รวม|ไม่รับ|คุกกี้|ความเป็นส่วนตัว|เข้าสู่ระบบ"
        r"|รหัสผ่าน",
        is_spaced=False,
        is_latin=False,
    ),
    "zh": Phrases(
        name="Simplified Chinese",
        details="查看详情",
        calls=r"加入购物车|放入购物车|(?:立即|马上|现在)(?:购买|抢购|下单|预订|预约|咨询)|购买|抢购"
        r"|下单|预订|预约|联系|咨询|试用",
        rating="评分{score}（{count}条评价）",
        lowest="{price}起",
        shipping=r"包邮|运费|配送|送货|发货|退货|退换",
        refusals=r"售罄|缺货|下架|抱歉|不支持|不可|不包括|不含|隐私|登录|密码",
        is_spaced=False,
        is_latin=False,
    ),
    "zh-Hant": Phrases(
        name="Traditional Chinese",
        details="查看詳情",
        calls=r"加入購物車|放入購物車|(?:立即|馬上|現在)(?:購買|搶購|下單|預訂|預約|諮詢)|購買|搶購"
        r"|下單|預訂|預約|聯絡|聯繫|諮詢|試用",
        rating="評分{score}（{count}則評價）",
        lowest="{price}起",
        shipping=r"免運|運費|配送|送貨|出貨|退貨|退換",
        refusals=r"售完|售罄|缺貨|下架|抱歉|不支援|不可|不包括|不含|隱私|登入|密碼",
        is_spaced=False,
        is_latin=False,
    ),
}


def starts_with_call(text: str, language: PageLanguage) -> bool:
    """Whether a text begins with a call to buy or to contact the seller."""
    return _pattern("calls", language).match(text.strip()) is not None


def mentions_shipping(text: str, language: PageLanguage) -> bool:
    return _pattern("shipping", language).search(text) is not None


def is_refusal_or_notice(text: str, language: PageLanguage) -> bool:
    """Whether a text refuses something or is a notice of the site: true, and no reason to buy.

    English notices occur on pages in any language.
    """
    return any(_pattern("refusals", name).search(text) for name in (language, "en"))


_AFFIXED: Final = frozenset({"ar", "he", "hi", "ko"})
"""Languages that attach endings or prefixes to the words of the table."""


@cache
def _pattern(kind: Literal["calls", "shipping", "refusals"], language: PageLanguage) -> re.Pattern[str]:
    phrases = PHRASES[language]
    words: str = getattr(phrases, kind)
    is_whole = phrases.is_spaced and language not in _AFFIXED
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)" if is_whole else f"(?:{words})", re.IGNORECASE)
