"""Addresses: Korean ones by road and by lot, English ones by street.

A Korean address goes from the large to the small: province, city, district, then a road with a building's number, or
a quarter with a lot's number, then building, floor, door. It is read part by part from where one may begin, without
going back; what is there of the large parts makes the small ones sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers import address_tables as tables
from llmflow_presidio.recognisers.rule import Rule

ENTITY = "ADDRESS"


def _of(names: list[str]) -> str:
    return f"(?:{'|'.join(sorted(names, key=len, reverse=True))})"


_END = r"(?![가-힣0-9A-Za-z])"
_PROVINCE = re.compile(rf"{_of(tables.PROVINCES)}{_END}")
_CITY = re.compile(rf"(?:{_of(tables.CITIES)}시|{_of(tables.COUNTIES)}군){_END}")
_SHORT_CITY = re.compile(rf"{_of(tables.CITIES + tables.COUNTIES)}{_END}")  # after a province: "경기 성남"
_DISTRICT = re.compile(rf"{_of(tables.DISTRICTS)}구{_END}")
_TOWN = re.compile(rf"[가-힣]{{1,4}}[0-9]{{0,1}}(?:읍|면){_END}")
_ROAD = re.compile(
    r"[가-힣][가-힣0-9.]{0,9}?(?:대로|(?<!으)로|길)(?:[ ]?\d{1,4}(?:번?[가-하]?길|번안길))?(?=[ "
    r"]{0,2}(?:지하[ ]?)?\d{1,5}(?!\d))"
)
_PARTICLE = (
    r"(?:에|으로|로|은|는|을|를|의|과|와|도|까지|부터|입니다|예요|이에|이고|이며|이라|이야|인데|이죠|앞|옆|"
    r"이[ .,])"
)
# After a number: no unit, no other word, nothing that makes it another number.
_GOES_ON = (
    rf"(?![0-9A-Za-z]|[-.,:]\d|[ ]?(?:%|원|명|km|대[ ]|여[ ]))(?:(?![가-힣])|(?={_PARTICLE}|번|호|층|동))"
)
_BUILDING = re.compile(rf"[ ]{{0,2}}(?:지하[ ]?)?\d{{1,5}}(?:[ ]?-[ ]?\d{{1,4}})?(?:번지?)?{_GOES_ON}")
_QUARTER = re.compile(r"[가-힣]{1,6}(?:\d{1,2}(?:동|가|리)|동|가|리)(?![가-힣A-Za-z])")
_LOT = re.compile(
    rf"[ ]{{0,2}}(?:산[ ]?)?\d{{1,5}}(?:[ ]?-[ ]?\d{{1,4}})?(?P<said>번지)?{_GOES_ON}(?![ ]?(?:시|분|월|년|"
    rf"개|동|층|호))"
)
_NAMED = (
    "아파트|빌라|빌딩|타워|오피스텔|맨션|연립|주택|하이츠|팰리스|캐슬|자이|푸르지오|래미안|힐스테이트|더샵|"
    "아이파크|이편한세상|센트럴|프라자|플라자|상가|타운|센터|빌|하우스|마을|단지|롯데캐슬|스퀘어|파크|빌리"
    "지|아트|타운하우스|기숙사|회관|청사|사옥|학교|대학교|병원"
)
_DOOR = r"(?:(?:지하|B|제)?[ ]?[A-Z]?\d{1,4}(?:동|층|호실?|F)|[A-Z가나다라마바사]동)"
_DETAIL = re.compile(
    rf"(?:[ ]{{0,2}},[ ]{{0,2}}|[ ]{{1,2}}|(?=\())(?:(?P<paren>\((?!우|[^()\n]{{0,8}}\d{{5}})[가-힣0-9 "
    rf",.]{{2,40}}\))|(?P<door>{_DOOR})|(?P<name>[가-힣A-Za-z0-9]{{0,12}}(?:{_NAMED})(?:[ "
    rf"]?\d{{1,2}}(?:단지|차))?(?=[ ,(]|$))|"
    r"(?P<pair>\d{1,4}-\d{1,4}(?:호)?(?![0-9-])))"
)
_GLUED_DOOR = re.compile(_DOOR)
_LABEL = re.compile(
    r"(?:주소지?|거주지?|배송지?|소재지?|위치|본점|본사|본적|등록기준지|사무실|사업장|집|자택|직장|회사|"
    r"수령지?|받는 곳|보내실 곳|도착지|출발지|address)[^가-힣A-Za-z0-9\n]{0,4}(?:은|는|이|가|를|로|지)?[ "
    r":]{0,3}$"
)
_START = re.compile(
    rf"(?<![가-힣A-Za-z0-9])(?:대한민국[ ])?(?P<at>{_of(tables.PROVINCES)}(?=[ ,])|"
    rf"{_of(tables.CITIES)}시(?=[ ,])|{_of(tables.COUNTIES)}군(?=[ ,])|{_of(tables.DISTRICTS)}구(?=[ ,]))"
)
_ROAD_START = re.compile(
    r"(?<![가-힣A-Za-z0-9])(?=[가-힣][가-힣0-9.]{0,9}?(?:대로|(?<!으)로|길)[ ]?(?:지하[ ]?)?\d)"
)
_LOT_START = re.compile(r"(?<![가-힣A-Za-z0-9])(?=[가-힣]{1,6}(?:\d{1,2})?(?:동|리|가|읍|면)[ ][가-힣0-9산])")
_HOME = re.compile(
    rf"(?<![가-힣A-Za-z0-9])[가-힣A-Za-z0-9]{{1,12}}(?:{_NAMED})(?:[ ]?\d{{1,2}}(?:단지|차))?[ "
    rf"]{{1,2}}(?:제?\d{{1,4}}동[ ,]{{0,2}})\d{{1,4}}호"
)
_CODE_BEFORE = re.compile(r"(?<![0-9.,\-])(?P<it>[0-6]\d{4})[)\]]?[ ,]{0,2}$")
_CODE_AFTER = re.compile(r"[ ,]{0,3}[(\[]?(?:우편번호|우)?[ :)]{0,3}(?P<it>[0-6]\d{4})(?![0-9.,\-]|원|명|개)")
_SEPARATOR = re.compile(r"[ ]{0,2},?[ ]{1,2}")


@dataclass
class _Read:
    """An address as far as it has been read."""

    text: str
    end: int
    parts: set[str] = field(default_factory=set)

    def take(self, part: str, pattern: re.Pattern[str], *, apart: bool = True) -> re.Match[str] | None:
        """Read on over a part, and the blank before it, if it stands here."""
        at = self.end
        if apart and self.parts:
            blank = _SEPARATOR.match(self.text, at)
            if not blank:
                return None
            at = blank.end()
        match = pattern.match(self.text, at)
        if match:
            self.parts.add(part)
            self.end = match.end()
        return match


@dataclass(frozen=True)
class KoreanAddresses:
    """Finds Korean addresses."""

    name: str = "korean-address"

    def find(self, text: str) -> Iterator[Finding]:
        """Addresses with a number, or named as addresses."""
        last = 0
        for start in self._starts(text):
            if start < last:
                continue
            read = _read(text, start)
            score = _score(text, start, read)
            if score:
                last = read.end
                yield Finding(start, read.end, ENTITY, score, self.name)
                yield from self._postal(text, start, read.end)
        for match in _HOME.finditer(text):
            if match.start() >= last:
                yield Finding(match.start(), match.end(), ENTITY, 0.8, self.name)

    def _postal(self, text: str, start: int, end: int) -> Iterator[Finding]:
        """The postal code before or after an address."""
        code = _CODE_BEFORE.search(text, max(0, start - 12), start) or _CODE_AFTER.match(text, end)
        if code:
            yield Finding(*code.span("it"), "KR_POSTAL_CODE", 0.8, self.name)

    def _starts(self, text: str) -> list[int]:
        found = {match.start() for match in _START.finditer(text)}
        if _NUMBERED.search(text):
            for pattern in (_ROAD_START, _LOT_START):
                found |= {match.start() for match in pattern.finditer(text)}
        return sorted(found)


# A road that its name alone tells: no word for a manner, which ends alike (순서대로).
_BOULEVARD = re.compile(
    "(?!그대로|이대로|저대로|마음대로|순서대로|예정대로|계획대로|규정대로|사실대로|원래대로|차례대로|지시대"
    "로|절차대로|약속대로|예상대로|기준대로|원칙대로|생각대로|제멋대로|있는대로|되는대로|하는대로|가는대로|"
    "보는대로)[가-힣]{2,6}대로"
)
_NUMBERED = re.compile(r"[가-힣][ ]?\d")


def _read(text: str, start: int) -> _Read:
    """Read one address from `start` on."""
    country = re.compile("대한민국[ ]").match(text, start)
    read = _Read(text, country.end() if country else start)
    province = read.take("province", _PROVINCE)
    if not read.take("city", _CITY) and province:
        read.take("city", _SHORT_CITY)
    read.take("district", _DISTRICT)
    read.take("town", _TOWN)
    if _road(read):
        _details(read)
        return read
    if quarter := read.take("quarter", _QUARTER):
        if _road(read):
            _details(read)
            return read
        if quarter.group().endswith("리"):
            read.parts.add("village")
        lot = read.take("lot", _LOT)
        if lot:
            read.parts |= {"said"} if lot["said"] else {"range"} if "-" in lot.group() else set()
        _details(read)
    elif "town" in read.parts or "district" in read.parts:
        _details(read)
    return read


def _road(read: _Read) -> bool:
    """Read a road with its number, or neither."""
    at, parts = read.end, set(read.parts)
    road = read.take("road", _ROAD)
    if road and read.take("number", _BUILDING, apart=False):
        if re.search(r"\d(?:번?[가-하]?길|번안길)$", road.group()) or _BOULEVARD.fullmatch(road.group()):
            read.parts.add("numbered")
        return True
    read.end, read.parts = at, parts
    return False


def _details(read: _Read) -> None:
    """Read what follows the number: building, floor, door, the quarter in brackets."""
    for _ in range(6):
        match = _DETAIL.match(read.text, read.end)
        if not match:
            return
        read.parts.add(match.lastgroup or "")
        read.end = match.end()
        while glued := _GLUED_DOOR.match(read.text, read.end):
            read.parts.add("door")
            read.end = glued.end()


def _score(text: str, start: int, read: _Read) -> float:
    """How sure it is that what was read is an address."""
    parts = read.parts
    region = parts & {"province", "city", "district"}
    numbered = "number" in parts or "lot" in parts
    if region and numbered:
        return 0.95
    labelled = _LABEL.search(text, max(0, start - 24), start) is not None
    if region and "door" in parts and ("name" in parts or "quarter" in parts or "town" in parts):
        return 0.9
    if labelled and region and parts & {"quarter", "town"}:
        return 0.8
    if not region and "number" in parts:
        known = _KNOWN_ROAD.match(text, start) and not _COUNTED.match(text, read.end)
        return 0.8 if labelled or known or parts & {"numbered", "town", "door", "paren"} else 0.0
    if not region and "lot" in parts:
        if "range" in parts and _DONG.match(text, start):
            return 0.75
        sure = labelled or "said" in parts or parts >= {"town", "village"}
        return 0.75 if sure or ("name" in parts and parts & {"door", "range"}) else 0.0
    return 0.0


_DONG = re.compile(
    r"(?!(?:행|활|운|이|자|수|연|변|노|공|작|아|감|충|진|가|기|출|소|유|합|파|혼|율|선|역|협|"
    r"냉)동)[가-힣]{1,4}\d{0,2}동[ ]"
)
_KNOWN_ROAD = re.compile(  # roads that people name without the city
    r"(?:테헤란|압구정|세종대|강남대|도산대|논현|언주|선릉|봉은사|역삼|학동|영동대|올림픽|양재대|월드컵|"
    r"여의대|국제금융|의사당대|마포대|신촌|율곡|사직|자하문|을지|퇴계|남대문|소월|이태원|한남대|왕십리|"
    r"성수이|아차산|능동|천호대|동일|반포대|서초대|사평대|남부순환|디지털|가산디지털\d|공항대|판교역|"
    r"대왕판교|센텀중앙|해운대|달구벌대|상무중앙|첨단과기|둔산)로[ ]?\d"
)
_COUNTED = re.compile(r"[ ]?(?:개|명|회|번[ ]|시간|일[ ]|분[ ]|건|원|대[ ]|차선|차로|km|m[ ])")
_CAPITAL = r"[A-Z][a-zA-Z'’\-]{0,20}\.?"
_STREET = (
    "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Terrace|H"
    "ighway|Hwy|Parkway|Pkwy|Circle|Cir|Crescent|Close|Trail|Row|Broadway"
)
_UNIT = r"(?:,?[ ](?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|#)\.?[ ]?#?[A-Za-z0-9\-]{1,6})?"
_TOWN_EN = r"(?:,[ ][A-Z][a-zA-Z'.\-]{1,20}(?:[ ][A-Z][a-zA-Z'.\-]{1,20}){0,2}){0,3}"
_ZIP = r"(?:,?[ ][A-Z]{2})?(?:,?[ ](?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}))?(?![0-9A-Za-z])"
_QUARTER_EN = (
    r"(?:,[ ][A-Z][a-z]{1,15}(?:-(?:gu|si|dong|do|gun|eup|myeon|ri))?){0,5}(?:[ ]\d{5})?(?![0-9A-Za-z])"
)

RULES = (
    Rule(
        "english-address",
        ENTITY,
        re.compile(
            rf"(?<![0-9A-Za-z.,\-])\d{{1,6}}[A-Za-z]?[ ](?:[NSEW]\.?[ ])?(?:(?:{_CAPITAL}|\d{{1,3}}(?:st|"
            rf"nd|rd|th))[ ]){{1,4}}?(?:{_STREET})\b\.?"
            rf"(?:[ ](?:NW|NE|SW|SE|N|S|E|W)(?![A-Za-z]))?{_UNIT}{_TOWN_EN}{_ZIP}".replace(
                r"\b", "(?![A-Za-z])"
            )
        ),
        0.9,
        re.compile(r"\d[A-Za-z]? [A-Z0-9]"),
    ),
    Rule(
        "english-korean-address",
        ENTITY,
        re.compile(
            rf"(?<![0-9A-Za-z\-])(?:\d{{1,5}}(?:-\d{{1,4}})?,?[ "
            rf"])[A-Z][a-z]{{1,20}}(?:-?[a-z]{{1,10}})?-(?:ro|gil|daero|dong)(?:[ "
            rf"]\d{{1,3}}(?:beon)?-gil)?(?![a-z]){_QUARTER_EN}"
        ),
        0.9,
        re.compile(r"-(?:ro|gil|daero|dong)"),
    ),
    Rule(
        "po-box",
        ENTITY,
        re.compile(rf"(?<![A-Za-z])P\.?[ ]?O\.?[ ]Box[ ]\d{{1,6}}{_TOWN_EN}{_ZIP}"),
        0.85,
        "Box",
    ),
)
