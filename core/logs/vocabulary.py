"""The words that shops name their columns with, in English, Chinese and some more languages."""

import re
from typing import Final
from unicodedata import combining, normalize


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# Words in a column's name, the more telling first.
PEOPLE: Final = _each(
    "user customer buyer visitor member account client shopper reviewer player uid person actor "
    "household guest anonymous distinct amplitude cookie"
)
OWNERS: Final = (*PEOPLE, *_each("author seq trace case cc card shop seller merchant store ip"))
ACTORS: Final = (*OWNERS, *_each("email billing bill"))
BASKETS: Final = _each("invoice order transaction receipt basket cart")
SESSIONS: Final = _each("session visit")
ITEMS: Final = _each(
    "item product sku asin article goods listing offer movie book song reference content page url "
    "shop store merchant seller business hotel venue video track game course uri stock upc ean aid "
    "pid ad adgroup"
)
ACTIONS: Final = _each(
    "action event activity behavior behaviour operation verb template type method"
)
CODED_ACTIONS: Final = {*_each("action event activity behavior behaviour operation")}
AMOUNTS: Final = _each("amount amt price total revenue paid cost gmv value spend sales gross")
TIMES: Final = _each("time timestamp ts date datetime created at day when dt")
BROWSERS: Final = {*_each("agent useragent ua browser")}  # their values hold semicolons
PARTS_OF_AMOUNTS: Final = {*_each("discount coupon refund tax vat fee shipping tip")}
LISTS_OF_EVENTS: Final = {
    *_each("event events action actions activity activities click clicks hit hits interaction"),
    *_each("interactions behavior behaviors behaviour behaviours step steps visit visits"),
}
EVENT_IDS: Final = {(word, "id") for word in ("event", "log", "click", "request", "message")}

# Times of something else than the event, and words that describe somebody instead of naming him.
OTHER_TIMES: Final = {
    *_each("birth birthday birthdate dob registered registration register signup joined expiry"),
    *_each("expire expires expiration updated modified delivered refunded delivery pickup opening"),
}
DESCRIPTIONS: Final = {
    *_each("agent age gender sex type level group segment city country region label tag tags"),
    *_each("status category brand title count is has new zip postcode postal"),
}
OF_ITEMS: Final = {*DESCRIPTIONS, *_each("name description message number quantity price")}
CLOCKS: Final = {*TIMES, "clock", "hour"}

ENTITIES: Final = {
    *OWNERS,
    *_each("device_id user_agent card coupon voucher fingerprint iban cookie referrer session"),
}
CODES: Final = {
    *_each("app os channel device platform browser country region city category brand code"),
    *_each("language currency status version gender type level"),
}
PERSONAL: Final = {
    *_each("email mail phone mobile firstname lastname surname fullname birthday birthdate dob"),
    *_each("address street passport ssn"),
}
LABELS: Final = {
    *_each("label fraud fraudulent spam spammer anomaly abuse abusive target outcome attributed"),
    *_each("churned converted chargeback brushed"),
}

# Values that are what somebody did, in logs whose columns have no telling name.
DEEDS: Final = {
    *_each(
        "view pv click add cart fav favorite buy purchase order pay checkout search login logout"
    ),
    *_each("add_to_cart addtocart remove_from_cart impression share like review refund"),
    *_each("浏览 点击 加购 收藏 购买 下单 支付 搜索 登录 评价 退款 瀏覽 點擊 購買 下單"),
}

# Chinese words (simplified) and the English ones they count as; the longest is taken first.
_CHINESE: Final = {
    **{"用户": "user", "用户名": "user name", "买家": "buyer", "会员": "member"},
    **{"顾客": "customer", "客户": "customer", "消费者": "customer", "访客": "visitor"},
    **{"账号": "account", "帐号": "account", "账户": "account", "帐户": "account"},
    **{"评论人": "reviewer", "卖家": "seller", "商家": "merchant", "商户": "merchant"},
    **{"店铺": "shop", "店": "shop", "商店": "shop", "门店": "store", "网店": "shop"},
    **{"商品": "item", "产品": "product", "宝贝": "item", "货品": "goods", "货号": "sku id"},
    **{"页面": "page", "链接": "url", "网址": "url", "内容": "content"},
    **{"行为": "behavior", "操作": "operation", "动作": "action", "事件": "event"},
    **{"活动": "campaign", "类型": "type", "方式": "way", "日志": "log", "流水号": "log id"},
    **{"时间": "time", "时间戳": "timestamp", "日期": "date", "时刻": "time"},
    **{"创建": "created", "更新": "updated", "修改": "modified", "注册": "registered"},
    **{"出生": "birth", "生日": "birthday", "到期": "expiry", "过期": "expiry"},
    **{"金额": "amount", "价格": "price", "单价": "price", "售价": "price", "价钱": "price"},
    **{"总价": "total", "总额": "total", "实付": "paid", "费用": "cost", "成交额": "gmv"},
    **{"数量": "quantity", "件数": "quantity", "次数": "count", "评分": "rating"},
    **{"会话": "session", "访问": "visit", "订单": "order", "编号": "id", "号码": "id"},
    **{"号": "id", "编码": "code", "代码": "code", "标识": "id", "序号": "row"},
    **{
        "设备": "device",
        "装置": "device",
        "机型": "model",
        "型号": "model",
        "系统": "os",
        "平台": "platform",
    },
    **{"渠道": "channel", "浏览器": "browser", "版本": "version", "语言": "language"},
    **{"手机型号": "model", "手机": "phone", "手机号": "phone", "电话": "phone"},
    **{"邮箱": "email", "邮件": "email", "电邮": "email", "信箱": "email", "地址": "address"},
    **{"姓名": "fullname", "收货人": "fullname", "收件人": "fullname", "身份证": "passport"},
    **{"城市": "city", "省份": "region", "省": "region", "地区": "region", "区域": "region"},
    **{"国家": "country", "街道": "street", "类目": "category", "类别": "category"},
    **{"分类": "category", "品类": "category", "品牌": "brand", "标签": "label"},
    **{"币种": "currency", "货币": "currency", "状态": "status", "性别": "gender"},
    **{"年龄": "age", "等级": "level", "级别": "level", "名称": "name", "标题": "title"},
    **{"昵称": "name", "优惠券": "coupon", "优惠码": "coupon", "银行卡": "card"},
    **{"优惠": "discount", "折扣": "discount", "运费": "shipping", "税": "tax", "退款": "refund"},
    **{"欺诈": "fraud", "作弊": "abuse", "刷单": "brushed", "异常": "anomaly", "垃圾": "spam"},
}
_TRADITIONAL: Final = str.maketrans(
    "戶買會員顧帳賬號訪評論賣鋪門網產寶貨頁鏈內為動類時間創註冊過價錢總額實費數話訂單編碼標識"
    "設備機統臺瀏覽覽語電話郵證區國務貨幣狀態齡級稱題優銀詐異開購點擊裝籤別",
    "户买会员顾帐账号访评论卖铺门网产宝货页链内为动类时间创注册过价钱总额实费数话订单编码标识"
    "设备机统台浏览览语电话邮证区国务货币状态龄级称题优银诈异开购点击装签别",
)
# German, French, Spanish, Portuguese, Italian and Dutch words, without accents. German ones are
# also written together: Kundennummer. What is English, too, or means two things is left out.
_EUROPEAN: Final = dict(
    pair.split("=")
    for pair in _each(
        "benutzer=user nutzer=user utilisateur=user usuario=user utente=user gebruiker=user "
        "kunden=customer kunde=customer cliente=customer klant=customer klanten=customer "
        "kaeufer=buyer kaufer=buyer acheteur=buyer comprador=buyer besucher=visitor "
        "visiteur=visitor konto=account compte=account cuenta=account sitzungs=session "
        "sitzung=session seance=session sesion=session sessao=session sessione=session "
        "zeitstempel=timestamp zeitpunkt=time uhrzeit=time zeit=time heure=time hora=time ora=time "
        "tijd=time datum=date fecha=date aktion=action actie=action azione=action "
        "accion=action acao=action ereignis=event evenement=event evento=event gebeurtenis=event "
        "artikel=article articolo=article articulo=article produkt=product produit=product "
        "producto=product produto=product prodotto=product preis=price prix=price precio=price "
        "preco=price prezzo=price prijs=price betrag=amount summe=amount montant=amount "
        "importe=amount importo=amount bedrag=amount valor=value umsatz=revenue menge=quantity "
        "anzahl=quantity quantite=quantity cantidad=quantity quantidade=quantity quantita=quantity "
        "aantal=quantity bestellungs=order bestellung=order bestell=order commande=order "
        "pedido=order ordine=order bestelling=order haendler=merchant "
        "verkaeufer=seller verkaufer=seller vendeur=seller vendedor=seller venditore=seller "
        "boutique=shop magasin=shop tienda=shop loja=shop negozio=shop winkel=shop "
        "gutschein=coupon cupon=coupon cupom=coupon geraete=device geraet=device gerat=device "
        "adresse=address anschrift=address strasse=street telefon=phone telephone=phone "
        "telefono=phone telefone=phone kategorie=category categorie=category categoria=category "
        "rabatt=discount steuer=tax versand=shipping nummer=id nr=id numero=id"
    )
)
_EUROPEAN_WORDS = "|".join(sorted(_EUROPEAN, key=len, reverse=True))
_EUROPEAN_RUN = re.compile(f"(?:{_EUROPEAN_WORDS})+|.+(?:datum|nummer|preis|betrag|menge)")
_CHINESE_RUN = "[\u4e00-\u9fff]+"
_LONGEST_FIRST = re.compile("|".join(sorted(_CHINESE, key=len, reverse=True)))


def words_of(name: str) -> list[str]:
    """Split a column's name into English words: `userID` -> user, id; `用户ID` -> user, id."""
    translated = re.sub(_CHINESE_RUN, _in_english, name)
    plain = "".join(sign for sign in normalize("NFKD", translated) if not combining(sign))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain)
    words = re.findall(r"[a-z]+|\d+", spaced.lower().replace("ß", "ss"))
    return list(dict.fromkeys(part for word in words for part in _unglue(word)))


def _in_english(run: re.Match[str]) -> str:
    simplified = run.group().translate(_TRADITIONAL)
    known = _LONGEST_FIRST.findall(simplified)
    return f" {' '.join(_CHINESE[word] for word in known)} "


def _unglue(word: str) -> list[str]:
    """Part what is written together: `userid` -> user, id; `kundennummer` -> customer, id."""
    if _EUROPEAN_RUN.fullmatch(word):
        return [_EUROPEAN[part] for part in re.findall(_EUROPEAN_WORDS, word)]
    stem = word.removesuffix("id")
    if stem != word and stem in {*ACTORS, *ITEMS, "order", "session", "device"}:
        return [stem, "id"]
    return [word]


def is_known_name(name: str) -> bool:
    """Tell whether `name` reads like the name of a column."""
    known = {*ACTORS, *ITEMS, *ACTIONS, *AMOUNTS, *TIMES, "session", "id"}
    return bool(known & set(words_of(name)))
