"""Everything that can be found, with the names that people read."""

from __future__ import annotations

from dataclasses import dataclass

PERSONAL, SECRET, CONDUCT, OWN = "personal", "secret", "conduct", "own"


@dataclass(frozen=True)
class Entity:
    """A kind of finding: its family, and its name in both languages."""

    family: str
    english: str
    korean: str


ENTITIES: dict[str, Entity] = {
    "PERSON": Entity(PERSONAL, "name", "이름"),
    "ADDRESS": Entity(PERSONAL, "address", "주소"),
    "PHONE_NUMBER": Entity(PERSONAL, "phone number", "전화번호"),
    "EMAIL_ADDRESS": Entity(PERSONAL, "e-mail address", "이메일"),
    "KR_RRN": Entity(PERSONAL, "resident registration number", "주민등록번호"),
    "KR_FRN": Entity(PERSONAL, "foreigner registration number", "외국인등록번호"),
    "KR_PASSPORT": Entity(PERSONAL, "passport number", "여권번호"),
    "KR_DRIVER_LICENSE": Entity(PERSONAL, "driving licence number", "운전면허번호"),
    "KR_BRN": Entity(PERSONAL, "business registration number", "사업자등록번호"),
    "KR_CRN": Entity(PERSONAL, "corporate registration number", "법인등록번호"),
    "KR_BANK_ACCOUNT": Entity(PERSONAL, "account number", "계좌번호"),
    "KR_VEHICLE_PLATE": Entity(PERSONAL, "vehicle plate", "차량번호"),
    "KR_POSTAL_CODE": Entity(PERSONAL, "postal code", "우편번호"),
    "CREDIT_CARD": Entity(PERSONAL, "card number", "카드번호"),
    "IBAN_CODE": Entity(PERSONAL, "IBAN", "국제계좌번호"),
    "CRYPTO": Entity(PERSONAL, "wallet address", "지갑주소"),
    "US_SSN": Entity(PERSONAL, "social security number", "미국사회보장번호"),
    "US_ITIN": Entity(PERSONAL, "taxpayer number", "미국납세자번호"),
    "US_PASSPORT": Entity(PERSONAL, "US passport number", "미국여권번호"),
    "UK_NINO": Entity(PERSONAL, "national insurance number", "영국국민보험번호"),
    "UK_NHS": Entity(PERSONAL, "NHS number", "영국건강보험번호"),
    "IP_ADDRESS": Entity(PERSONAL, "IP address", "IP주소"),
    "MAC_ADDRESS": Entity(PERSONAL, "MAC address", "MAC주소"),
    "URL": Entity(PERSONAL, "web address", "웹주소"),
    "API_KEY": Entity(SECRET, "key", "API키"),
    "PASSWORD": Entity(SECRET, "password", "비밀번호"),
    "PRIVATE_KEY": Entity(SECRET, "private key", "개인키"),
    "JWT": Entity(SECRET, "web token", "인증토큰"),
    "PROMPT_INJECTION": Entity(CONDUCT, "injected instruction", "지시 조작"),
    "DENIED": Entity(OWN, "denied term", "금지어"),
    "CUSTOM": Entity(OWN, "private", "비공개"),
}
GENERAL = tuple(
    name for name, entity in ENTITIES.items() if entity.family != OWN
)  # what needs no rule of a policy's own
