"""Korean numbers: who somebody is, what they own, how they are reached. Formats are those of the issuing offices."""

from __future__ import annotations

import re

from llmflow_presidio import checksums
from llmflow_presidio.recognisers.rule import Rule, after, before, digits

NUMBER = re.compile(r"\d{3}")

# What says that the next number is another kind of number; right before it, a word may stand between.
_OTHER = re.compile(
    r"(?:주문|송장|운송장|일련|시리얼|제품|모델|상품|품번|자재|부품|문서|접수|관리|참조|추적|거래|승인|"
    r"예약|버전|펌웨어|커널|패치|릴리스|빌드|바코드|세션|로그|타임스탬프|이슈|티켓|커밋|특허|출원|쿠폰|"
    r"발주|견적|고시|계약|영수증|청구|사건|증권|전표|배치|order|tracking|serial|invoice|ticket|build|"
    r"version|firmware|release|commit|sku|part|isbn|issn|ean|upc|barcode|batch|session|timestamp|revision|"
    r"model|case|ref(?:erence)?|patent|receipt|trace|job)[ ]?(?:번호|코드|넘버|no\.?|number|num\.?|id|#|"
    r"서)?[ ]{0,2}(?:는|은|이|가|:|=|#|is|was)?[ ]{0,2}[\"'(\[#]{0,2}(?:[A-Za-z]{1,4}-)?$",
    re.IGNORECASE,
)


def _said(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


_RESIDENT = _said("주민", "rrn", "resident")
_FOREIGNER = _said("외국인", "거소", "frn", "alien", "foreign")
_CORPORATION = _said("법인", "corporat", "corp[_ ]?n[ou]", "crn")
_BUSINESS = _said(
    "사업자", "brn", "business", "세금계산서", "공급자", "거래처", "tax[ _-]?(?:id|no)", "biz", "vat"
)
_PASSPORT = _said("여권", "passport")
_LICENCE = _said("면허", "licen[cs]e", "driver")
_CARD = _said("카드", "card", "visa", "비자", "마스터", "master", "amex", "결제", "cvc")
_PHONE = _said(
    "전화",
    "연락",
    "휴대",
    "핸드폰",
    "폰",
    "번호",
    "팩스",
    "대표",
    "문의",
    "tel",
    "phone",
    "mobile",
    "fax",
    "call",
    "cell",
    "contact",
    "whatsapp",
    "sms",
    "문자",
    "hp",
    "고객센터",
    "저장",
    "안심",
    "연락",
    "걸어",
    "reach",
    "number",
)
_PHONE_NEXT = re.compile(
    r"[ ]?(?:으로|로|번으로|번|에서|에)?[ ]?(?:[가-힣]{1,3}[ ])?(?:전화|연락|문자|통화|걸|부재중|콜)"
)
_PLATE = _said(
    "차량",
    "번호판",
    "자동차",
    "주차",
    "입차",
    "출차",
    "렌터카",
    "렌트",
    "차번",
    "차번호",
    "차 ",
    "차주",
    "[ ]차(?:는|가|를|도|로|에|번)",
    "견인",
    "번호판",
    "plate",
    "vehicle",
)
_POSTAL = re.compile(
    r"(?:우편[ ]?번호|우[ ]?\)|\(우|〒|zip(?:[ _]?code)?|postal(?:[ _]?code)?|"
    r"postcode)[^0-9가-힣\n]{0,6}(?:는|은|가|이|도)?[ ]?$|(?:^|[\s(])우[ ]$",
    re.IGNORECASE,
)
_ACCOUNT = _said("계좌", "통장", "입금", "송금", "이체", "예금", "account", "환불", "출금", "가상계좌")
_ACCOUNT_NEXT = re.compile(
    r"[ ()]{0,3}(?:(?:으로|로|에|에다|앞으로)[ ])?(?:계좌|통장|입금|송금|이체|예금|환불)"
)
_BANKS = (
    r"(?:국민|신한|우리|하나|농협|기업|제일|카카오|카뱅|케이|케뱅|토스|토뱅|새마을금고|새마을|신협|우체국|"
    r"수협|대구|아이엠|부산|광주|전북|경남|제주|씨티|산업|수출입|산림조합|저축|외환|(?<![A-Za-z])(?:KB|NH|"
    r"IBK|SC|MG|iM|KDB|Kookmin|Shinhan|Woori|Hana|Nonghyup|Kakao|Toss|Suhyup|Busan|Daegu|Citi|K(?=[ "
    r"-]?Bank))(?=[ -]?Bank|(?![A-Za-z])))[ -]?(?:은행|뱅크|중앙회|증권|Bank(?![a-z]))?"
)
_BANK = re.compile(
    _BANKS + r"(?:(?![가-힣])|(?=계좌|통장|예금|입출금|적금|으로|로|에|은|는)|(?<=[은뱅]행)|(?<=뱅크))"
    r"(?:(?!번호|코드|센터|no)[^0-9\n]|계좌번호){0,14}$",
    re.IGNORECASE,
)
_BANK_NEXT = re.compile(
    r"[ ]{0,2}[(/,]?[ ]?(?:국민|신한|우리|하나|농협|기업|제일|카카오|카뱅|케이|토스|새마을|신협|우체국|"
    r"수협|대구|부산|광주|전북|경남|제주|씨티|산업)(?:은행|뱅크|금고|[ )/,\n]|$)"
)


def other(match: re.Match[str]) -> bool:
    """Whether the words before a number call it something else."""
    return _OTHER.search(before(match)) is not None


def _registration(match: re.Match[str]) -> float:
    """Resident or foreigner: the birthday must be one; the check digit makes it sure, a label too."""
    number = digits(match.group())
    if not checksums.born(number):
        return 0.0
    lead = before(match)
    foreign = number[6] in "5678"
    if (_FOREIGNER if foreign else _RESIDENT).search(lead):
        return 1.0
    if other(match) or (_CORPORATION.search(lead) and checksums.corporation(number)):
        return 0.0
    if (checksums.foreigner if foreign else checksums.resident)(number):
        return 0.95
    if checksums.corporation(number) and number[4:6] in _FORMS and "11" <= number[:2] <= "22":
        return 0.0  # one of a registry of companies
    written = "-" in match.group() or _RESIDENT.search(after(match)) or _FOREIGNER.search(lead)
    return 0.7 if written else 0.0  # given since October 2020, without a check digit


def _corporation(match: re.Match[str]) -> float:
    number = digits(match.group())
    if not checksums.corporation(number):
        return 0.0
    if _CORPORATION.search(before(match)):
        return 1.0
    dashed = "-" in match.group() and not other(match)
    return 0.6 if dashed and number[0] in "12" and number[4:6] in _FORMS else 0.0


_FORMS = ("11", "12", "13", "14", "15", "21", "22", "31", "41", "71")  # kinds of corporations


def _business(match: re.Match[str]) -> float:
    number = digits(match.group())
    if not checksums.business(number):
        return 0.0
    if _BUSINESS.search(before(match)):
        return 1.0
    return 0.9 if "-" in match.group() and not other(match) else 0.0


def _passport(match: re.Match[str]) -> float:
    if _PASSPORT.search(before(match)) or _PASSPORT.search(after(match)):
        return 0.95
    new = match.group()[0] == "M" and match.group()[4].isalpha()
    return 0.6 if new and not other(match) else 0.0


def _licence(match: re.Match[str]) -> float:
    said = _LICENCE.search(before(match)) or _LICENCE.search(after(match))
    if said:
        return 1.0
    if other(match):
        return 0.0
    dashes = match.group().count("-")
    if match.group()[0].isdigit():
        return 0.85 if dashes >= 3 else 0.0
    return 0.93 if dashes >= 2 else 0.0  # by its region; surer than an account of the bank that is called so


def _card(match: re.Match[str]) -> float:
    number = digits(match.group())
    if len(set(number)) < 2 or not checksums.luhn(number) or not _ISSUED.match(number):
        return 0.0
    if _CARD.search(before(match)):
        return 1.0
    if other(match):
        return 0.0
    return 0.9 if len(number) != len(match.group()) or len(number) in (15, 16) else 0.0


_ISSUED = re.compile(  # networks' ranges and their lengths; 9 is Korea's own
    r"(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|"
    r"3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6\d{15}|9\d{15}|5[06-8]\d{10,14})$"
)


def _phone(match: re.Match[str]) -> float:
    if other(match):
        return 0.0
    number, lead = digits(match.group()), before(match)
    if _ACCOUNT.search(lead[-12:]):
        return 0.55  # an account may look like it
    parted = len(number) != len(match.group())
    if number.startswith(("01", "82")):
        return 0.95 if parted or _PHONE.search(lead) else 0.75
    return 0.9 if parted else 0.8 if _PHONE.search(lead) or _PHONE_NEXT.match(after(match)) else 0.0


def _service(match: re.Match[str]) -> float:
    """A number for a whole country: with a dash, or where something says that it is called."""
    if "-" in match.group() or _CALLED.search(before(match, 12)) or _PHONE_NEXT.match(after(match)):
        return _phone(match)
    return 0.0


_CALLED = _said("전화", "고객센터", "콜센터", "대표번호", "상담", "tel", "call")


def _plate(match: re.Match[str]) -> float:
    said = _PLATE.search(before(match, 16)) or _PLATE.search(after(match, 8))
    if said or match["region"]:
        return 0.95
    if _UNIT.match(after(match)):
        return 0.0
    return 0.0 if match["gap"] and match["use"] in _COUNTERS else 0.8


_COUNTERS = "도주호부조로구우수사서모자"  # "30도 1200" is a temperature and something else
_UNIT = re.compile(r"[ ]?(?:[a-zA-Z%℃]|원|명|개|권|대[ ]|회|건|만|천|억|여|년|점|위|석|포인트|미터|킬로)")


def _postal(match: re.Match[str]) -> float:
    if _POSTAL.search(before(match, 16)):
        return 0.95
    bracketed = match.string[match.start() - 1 : match.start()] in ("(", "[")
    return 0.85 if bracketed and _REGION_NEXT.match(after(match)) else 0.0


_REGION_NEXT = re.compile(
    r"[)\]][ ]{0,2}(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충청|충북|충남|전라|전북|전남|경상|"
    r"경북|경남|제주)"
)


def _account(match: re.Match[str]) -> float:
    groups = match.group().split("-")
    number = digits(match.group())
    if not 10 <= len(number) <= 14:
        return 0.0
    lead = before(match)
    bank = _BANK.search(lead) or _BANK_NEXT.match(after(match))
    said = _ACCOUNT.search(lead[-24:]) or _ACCOUNT_NEXT.match(after(match))
    if not bank and not said:
        return 0.0
    if _CARD_LABEL.search(lead[-10:]) or (_PHONE_LABEL.search(lead[-10:]) and not said):
        return 0.0
    if not said and _PHONE_SHAPE.fullmatch(match.group()):
        return 0.0
    if bank and said:
        return 0.97
    if other(match):
        return 0.0
    return (
        0.92
        if bank or len(groups) > 1 or _ACCOUNT_SURE.search(lead[-16:]) or _ACCOUNT_NEXT.match(after(match))
        else 0.0
    )


_PHONE_SHAPE = re.compile(r"01\d{8,9}|0(?:1\d|2|[3-6][1-5]|70|50\d)-\d{3,4}-\d{4}")
_ACCOUNT_SURE = re.compile(r"계좌|통장|account", re.IGNORECASE)
_CARD_LABEL = re.compile(r"카드|card", re.IGNORECASE)
_PHONE_LABEL = re.compile(r"전화|연락처|휴대|핸드폰|고객센터|팩스|tel|phone|fax", re.IGNORECASE)
_OPEN, _CLOSE = r"(?<![0-9])(?<![0-9][-.])", r"(?![0-9])(?![-.][0-9])"

RULES = (
    Rule(
        "kr-registration",
        "KR_RRN",
        re.compile(_OPEN + r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ ]?-?[ ]?[1-4]\d{6}" + _CLOSE),
        _registration,
        NUMBER,
    ),
    Rule(
        "kr-registration-foreign",
        "KR_FRN",
        re.compile(_OPEN + r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ ]?-?[ ]?[5-8]\d{6}" + _CLOSE),
        _registration,
        NUMBER,
    ),
    Rule(
        "kr-corporation", "KR_CRN", re.compile(_OPEN + r"\d{6}[ ]?-?[ ]?\d{7}" + _CLOSE), _corporation, NUMBER
    ),
    Rule(
        "kr-business",
        "KR_BRN",
        re.compile(_OPEN + r"\d{3}[ ]?-?[ ]?\d{2}[ ]?-?[ ]?\d{5}" + _CLOSE),
        _business,
        NUMBER,
    ),
    Rule(
        "kr-passport",
        "KR_PASSPORT",
        re.compile(r"(?<![A-Za-z0-9])[A-Z](?:[ ]?\d{4}[ ]?\d{4}|\d{3}[A-Z]\d{4}|[A-Z]\d{7})(?![A-Za-z0-9])"),
        _passport,
        NUMBER,
    ),
    Rule(
        "kr-licence",
        "KR_DRIVER_LICENSE",
        re.compile(
            _OPEN + r"(?:(?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|"
            r"울산)[ -]{1,2}\d{2}|"
            r"(?:1[1-9]|2[0-8])[ -]?\d{2})[ -]?\d{6}[ -]?\d{2}" + _CLOSE
        ),
        _licence,
        NUMBER,
    ),
    Rule(
        "card",
        "CREDIT_CARD",
        re.compile(_OPEN + r"\d{4}(?:[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}|[ -]?\d{6}[ -]?\d{4,5})" + _CLOSE),
        _card,
        NUMBER,
    ),
    Rule(
        "kr-phone",
        "PHONE_NUMBER",
        re.compile(
            r"(?<![0-9A-Za-z])(?<![0-9][-.])(?:(?:\(\+?82\)|\+?82)[ .-]{0,2}\(?0?\)?(?:1[016-9]|2|"
            r"[3-6][1-5]|70|50\d)\)?|(?:\(0(?:1[016-9]|2|[3-6][1-5]|70|80|50\d)\)|0(?:1[016-9]|2|"
            r"[3-6][1-5]|70|80|50\d)\)?))"
            r"[-. ]{0,3}\d{3,4}[-. ]{0,3}\d{4}" + _CLOSE
        ),
        _phone,
        NUMBER,
    ),
    Rule(
        "kr-phone-spoken",
        "PHONE_NUMBER",
        re.compile(
            r"(?<![가-힣])[공영]일[공영][ -]?[공영일이삼사오육칠팔구]{4}[ -]?[공영일이삼사오육칠팔구]{4}"
        ),
        0.9,
        re.compile("[공영]일[공영]"),
    ),
    Rule(
        "kr-phone-service",
        "PHONE_NUMBER",
        re.compile(
            r"(?<![0-9A-Za-z])(?<![0-9][-.])1(?:5(?:22|33|44|55|66|77|88|99)|6(?:00|11|22|33|44|55|61|66|"
            r"68|70|77|88|99)|"
            r"8(?:00|11|22|33|44|55|66|77|88|99))[- ]?\d{4}" + _CLOSE
        ),
        _service,
        NUMBER,
    ),
    Rule(
        "kr-plate",
        "KR_VEHICLE_PLATE",
        re.compile(
            r"(?<![0-9])(?<![0-9][-.])(?P<region>(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|"
            r"충남|전북|전남|경북|경남|제주)[ ]?)?\d{2,3}[ "
            r"]?(?P<use>[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자허하호배])"
            r"(?P<gap>[ ]?)\d{4}(?![0-9])(?![-.,:][0-9])"
        ),
        _plate,
        NUMBER,
    ),
    Rule(
        "kr-postal",
        "KR_POSTAL_CODE",
        re.compile(_OPEN + r"(?:[0-6]\d{4}|\d{3}-\d{3})" + _CLOSE),
        _postal,
        NUMBER,
    ),
    Rule(
        "kr-account",
        "KR_BANK_ACCOUNT",
        re.compile(_OPEN + r"\d{2,6}(?:-\d{1,8}){1,4}(?![0-9])|(?<![0-9-])\d{10,14}(?![0-9])"),
        _account,
        NUMBER,
    ),
)
