"""Korean names of people: what they are made of, and what stands around them.

A name is a surname and one or two syllables, with particles and titles glued on. Alone it is believed only where
the pair of syllables is one that people are called by; after a label or before a title any fitting syllables will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers import common_words as words
from llmflow_presidio.recognisers import name_tables as tables
from llmflow_presidio.recognisers.rule import Rule

ENTITY = "PERSON"
_RUN = re.compile(
    f"(?<![가-힣])"
    f"[{''.join(sorted(tables.SURNAMES | {name[0] for name in tables.COMPOUND_SURNAMES}))}][가-힣]{{1,15}}"
)
# Syllables that given names begin and end with, and that are a given name by themselves.
_FIRST = frozenset(pair[0] for pair in tables.GIVEN) | frozenset(
    "갑걸극낙녹담두라림말맹묵백변보분산삼석섭쌍언엄연염엽요운월음응익임점중집청추출칠쾌탁택판팔평필행헌형혁"
    "화황훤휘흔흥"
)
_SECOND = frozenset(pair[1] for pair in tables.GIVEN)
_SINGLE = frozenset(
    "준현진훈혁욱철호건율솔빈윤찬석웅결별봄은린란섭승환용규범권균민설산강원우영희숙옥경정선연완률걸겸훤혜"
)
_PARTICLES = frozenset(tables.PARTICLES)
# Last syllables by which a name that nobody is known by can be told from another word: after any surname, after one of
# them even where an everyday word begins so, and after a surname that few other words begin with.
_NAMES_END = frozenset(
    "갑건곤교규균근덕득랑렬렴례룡륜림립묵문민백범복봉빈삼석섭숙순악애언연열엽영오옥완용우욱웅윤익재정종준직"
    "찬채철춘탁태택평필헌혁현협형혜호홍환효훈휘흥희남"
)
_END_NO_WORD = frozenset("섭균룡근찬엽규훈욱혁헌협웅숙옥빈렬태")
_MAY_END = _SECOND | frozenset(
    "길래록봉상명국수성구주화미원산신학두보만안창일중진권돈락목배병선설세소손솔승심월율음장점조지직천청출충치향행후"
)
_MAY_END -= frozenset("해은이의가을를는도로에와과들한하고다라며인나리시동대기자서")
_ENDS_WORDS, _ENDS_MORE = frozenset("동대기자서"), frozenset("지만")
_NAMES_ONLY = frozenset("김박최윤임허곽권송홍류황정손양오문백서이장주변신안강심고표함")
_LIKE_PARTICLES = frozenset("은이나라도로의하한자화")  # what an everyday word goes on with
# Ends of other words: of loanwords, and of words with particles and endings.
_WORD_ENDS = frozenset(
    "트크클프드스츠르즈브케퍼펜텍더버커터링닝팅킹먼슨턴톤넷팬팀폰탈당관은는이가을를의에도로와과들한할된함됨"
    "적중시후전및등고며면서지게다요네만까부터보처럼라마음던여"
)
_RARE_SURNAMES = frozenset(("남궁", "제갈", "황보", "독고"))
_SURE = 0.7  # of a name that what stands beside it in a list is taken for one as well
_OWNER = re.compile(
    "[ ](?:명의|본인|측이|측은|씨|님|연락처|전화|휴대폰|휴대전화|핸드폰|이메일|주민등록|주민번호|생년월일|"
    "주소)"
)
_SIGNED = re.compile(  # what is written after one's own name, and after another's on a form
    r"[ ]{0,2}(?:(?:드림|올림|배상|拜上)(?![가-힣])|\((?:인|서명|직인|날인|sign|남|여|男|女|[FM][/,)]|만[ "
    r"]?\d|\d{2}세?[,)]|본인|배우자|대리)|外[ ]?\d|외[ ]\d{1,3}(?:명|인))"
)
_LISTED = re.compile(
    r"(?:[ ]?[,/·.、;&|\t][ ]{0,2}|[ ](?:및|그리고)[ ]|,?\n[ ]{0,3}(?:[-*•][ ]?|\d{1,6}[.) \t]{1,2})?|,?[ "
    r"]{1,2}\d{1,3}[.)][ ]?)"
)
_PLACES = frozenset("부산 오산 안산 서산 마산 경산 양산 군산 익산 논산 공석 좌석 동석 병석 주석 국경".split())
_NEVER = frozenset(one for one in (*tables.LABELS, *tables.TITLES) if len(one) == 3) | frozenset(
    f"{one}님" for one in (*tables.LABELS, *tables.TITLES) if len(one) == 2
)
_PLAIN_WORDS = frozenset(
    "겨바봄빛누루리마로라래다나아이하해여"
)  # given names begin so, and more often other words
_CASES = ("이", "가", "은", "는", "을", "를", "의", "에", "께", "한", "와", "과", "님", "씨")
_BODIES = frozenset("대부청처실국과팀")  # what names of offices end in (경찰대 교수)
_SUFFIXES = frozenset("형후별임어")  # what makes another word of a word (정수형, 지역별)
_VERBAL = frozenset("고 며 면 니 여 자 지 는 나 던 니까 면서 라 라고 네 죠 야 든 다 란 라는 라면".split())
_COPULA = re.compile("(?:이?라고|이?라는|입니다|이고|이며|이에요|예요|이라|인데|이란|이었|였)")
_TITLES = "|".join(sorted((*tables.TITLES, *tables.HONORIFICS.split()), key=len, reverse=True))
_TITLE = re.compile(
    f"(?P<gap>[ ]?)(?P<title>{_TITLES})(?P<honour>님|분|씨)?(?P<rest>[가-힣]{{0,6}})(?![가-힣])"
)
_WEAK = frozenset(  # nouns that stand after other words as well
    "고객 회원 환자 환자분 학생 담당자 담당 대표 프로 기사 책임 선임 수석 위원 선수 작가 배우 가수 후보 "
    "시장 의사 리더 통장 강사 원장 소장 박사 교사 사원 손님 감독 감사 위원장 이장 조교 석사 원생 인턴 선배 "
    "후배 언니 오빠 누나 형 이모 삼촌 아저씨 팀원 조원 멤버 대원 총무 기장 의장 보호자 학부모 어머니 "
    "아버지 엄마 아빠 개발자 디자이너 엔지니어 매니저 상담원 상담사 연구원 조합원 이사 군 양 반장 조장 "
    "신부 집사 장로 "
    "기자 간사 검사 지사 이병 상사 중사 하사 시인 학장 처장 서장 국장 어르신 할머니 할아버지".split()
)
_LABELS = "|".join(sorted(tables.LABELS, key=len, reverse=True)).replace("_", "[ ]?")
_LABEL = re.compile(
    rf"(?:(?P<label>{_LABELS}|(?<![가-힣])(?:부|모|자|처|글|그림|사진|취재|번역|감수)|"
    rf"(?<![A-Za-z])(?i:{'|'.join(tables.KEYS)}))[ ]?(?:님|분|명)?(?:[ "
    rf"]?\([^()\n]{{1,12}}\))?[\"'”’\])*]{{0,2}}(?P<link>[ ]?[:=|>][ ]{{0,3}}|은[ ]|는[ ]|이[ ]|가[ ]|인[ "
    rf"]|[ ])|(?P<self>(?:저는|나는|전|난|제가)[ ]))[\"'“‘(\[*]{{0,3}}$"
)
_NEXT_FIELD = re.compile(
    rf"[ ]{{1,3}}(?:(?:{_LABELS}|주민|생년|연락|전화|여권|면허|계좌|카드|주소|나이|부서|직급|직위|성별|"
    rf"사번|학번|명의)(?![가-힣]{{3}})|(?:부|모|자|처)[ ]|/)"
)
_COMPANY = re.compile(
    r"(?:주식회사|유한회사|\(주\)|㈜|법인|재단|상호|회사명|업체명|제품명|브랜드)[ ]?:?[ ]{0,2}$"
)
_ROLE = re.compile(  # any word for who somebody is, or any field, before a name that people are called by
    r"(?:[가-힣]{1,6}(?:자|인|원|장|사|관|역|생|수|주|책)(?:[ ]|는[ ]|은[ ]|[ ]?[:|=][ ]{0,2})|"
    r"(?<![가-힣])[가-힣]{2,6}[ ]?:[ ]{0,2})$"
)
_ANY_NOUN = frozenset(  # labels that other nouns follow as well
    "고객 회원 환자 담당 담당자 대표 강사 학생 직원 사원 교수 선생님 친구 동료 상사 팀장 과장 부장 대리 "
    "사장 형 동생 언니 누나 오빠 아들 딸 남편 아내 아버지 어머니 배우자 저자 수신 발신 본인 당사자 "
    "신입사원 지원자 가입자 참석자 참가자 부 모 자 처 글 그림 사진 취재 번역 감수 출연 연출 참석 참가 결재 "
    "작성 검토 승인 기안 예약 명단 팀원 조원 구성원 멤버 교사 담임 아빠 엄마 할머니 할아버지 장인 장모 "
    "이모 고모 삼촌 회장 총무 반장 조장 간사 원장 소장 이사 감사 신부 산모 관리자 대상자 작업자 책임자 "
    "연구자 참여자 수강생 교육생 훈련생 졸업생 "
    "운전자 승객 방문객 투숙객 사촌 조카 실무자 멘토 공급자 고인 자녀".split()
)
_GLUED = re.compile(
    "(?:성명|이름|성함|고객명|예금주|수령인|수취인|환자명|신청인|담당자|대표자|고객|회원|환자)(?=[가-힣]{3})"
)
_NEIGHBOUR = re.compile(
    r"[ ]?[,(/|:][ ]?(?:\d{2,4}[-. ]|01\d|\d{6}|[A-Za-z0-9._]{2,30}@|남|여|만[ ]?\d|\d{2}세)|[ ](?:01\d[-. "
    r"]?\d|\d{6}-|[A-Za-z0-9._]{2,30}@)"
)
_NOT_SHORT = words.TWO - frozenset(
    "이은 이현 이진 이영 이정 이건 이선 최현 허은 조현 오은 한석 장현 현진 유선 서연 정연 연우 정은 "
    "문정 유정 유연 도현 고현 민호".split()
)
_NOT_CALLED = frozenset(
    "이란 강원 경진 양호 국희 연설 사범 이사 이모 고모 신부 원장 조장 주인 선배 임금 장군 이장 전무 "
    "하나 공주 왕자 기사 감사 주임 강사 현장 심사 변호 고객 손 지사 위원 국장 서장 소장 반장 마님".split()
)


class Fit(Enum):
    """How well syllables make a name."""

    CALLED = "people are called so"
    FITTING = "its syllables are those of names"
    LOOSE = "a surname, and nothing that speaks against"
    NONE = "no name"


@dataclass(frozen=True)
class KoreanNames:
    """Finds Korean names in one scan over words that begin with a surname."""

    name: str = "korean-name"

    def find(self, text: str) -> Iterator[Finding]:
        """Names, without titles and particles."""
        read = [one for match in _RUN.finditer(text) if (one := _read(text, match))]
        for at, one in enumerate(read):
            score = one.score or (0.6 if _among_names(text, read, at) else 0.0)
            if score:
                yield Finding(one.start, one.end, ENTITY, score, self.name)


@dataclass(frozen=True)
class _Run:
    """A word that begins like a name: as much of it as would be the name, and how sure that is."""

    start: int
    end: int
    score: float
    fit: Fit
    whole: bool  # nothing is glued to it


def _read(text: str, match: re.Match[str]) -> _Run | None:
    """The likeliest name in a word; None if no name fits."""
    start, run = match.start(), match.group()
    if (glued := _GLUED.match(run)) and run[glued.end()] in tables.SURNAMES:
        start, run = start + glued.end(), run[glued.end() :]
    fitting = None
    for length in _lengths(run):
        name, rest = run[:length], run[length:]
        if length > len(run):
            continue
        score = _score(text, start, name, rest)
        fit = _fit(name)
        if score:
            return _Run(start, start + length, score, fit, not rest)
        if (
            not fitting
            and length > 2
            and _is_particle(rest)
            and fit is not Fit.NONE
            and name not in tables.NOT_NAMES
        ):
            fitting = _Run(start, start + length, 0.0, fit, not rest)
    return fitting


def _among_names(text: str, read: Sequence[_Run], at: int) -> bool:
    """Whether what may be a name stands in a list right beside what is one."""
    one = read[at]
    before = read[at - 1] if at else None
    after = read[at + 1] if at + 1 < len(read) else None
    if before and before.whole and before.score >= _SURE and _LISTED.fullmatch(text, before.end, one.start):
        return True
    return bool(
        after and one.whole and after.score >= _SURE and _LISTED.fullmatch(text, one.end, after.start)
    )


def _lengths(run: str) -> tuple[int, ...]:
    """How many syllables of a word the name may have, the likeliest first."""
    if run[:2] in tables.COMPOUND_SURNAMES:
        return (4, 3, 2)
    return (3, 2)


def _score(text: str, start: int, name: str, rest: str) -> float:
    """How sure it is that a name stands here, with `rest` glued to it; 0 for not at all."""
    fit = _fit(name)
    if fit is Fit.NONE or _COMPANY.search(text, max(0, start - 10), start):
        return 0.0
    end = start + len(name)
    title = (
        _TITLE.match(text, end, end + 16) if not _is_particle(rest) or rest[:1] in ("", *"씨님군양") else None
    )
    if title and _honoured(name, fit, title):
        return 0.95 if fit is Fit.CALLED else 0.85
    if not _is_particle(rest):
        return 0.0
    if (
        _SIGNED.match(text, end + len(rest))
        and name not in words.THREE
        and (len(name) > 2 or fit is Fit.FITTING)
    ):
        return 0.85
    label = _LABEL.search(text, max(0, start - 32), start)
    if label and _labelled(text, end, name, rest, fit, label):
        return 0.95 if fit is Fit.CALLED else 0.85
    if len(name) == 2 or fit is Fit.LOOSE or name in tables.NOT_NAMES:
        return 0.0
    if fit is Fit.CALLED and name not in words.THREE and _ROLE.search(text, max(0, start - 16), start):
        return 0.8
    if name[0] not in tables.COMMON_SURNAMES and name[:2] not in tables.COMPOUND_SURNAMES:
        return 0.0
    if _NEIGHBOUR.match(text, end) or _OWNER.match(text, end):
        return 0.8
    return _alone(name, rest, known=fit is Fit.CALLED)


def _fit(name: str) -> Fit:
    """How well the syllables of a word make a name."""
    if len(name) < 2 or name in _NEVER or name in _PLACES:
        return Fit.NONE
    compound = name[:2] in tables.COMPOUND_SURNAMES and len(name) > 2
    if compound and (len(name) > 3 or name[2] in _SINGLE):
        given = name[2:]
        if len(given) == 1 or given in tables.GIVEN:
            return Fit.CALLED
        return Fit.FITTING if given[0] in _FIRST or name[:2] in _RARE_SURNAMES else Fit.NONE
    if name[0] not in tables.SURNAMES or len(name) > 3:
        return Fit.NONE
    if len(name) == 2:
        return Fit.FITTING if name[1] in _SINGLE and name not in _NOT_CALLED else Fit.NONE
    if name[1:] in tables.GIVEN:
        return Fit.CALLED
    if name in tables.NOT_NAMES or name in words.THREE:
        return Fit.NONE
    if name[:2] in words.TWO and name[2] in _LIKE_PARTICLES:
        return Fit.NONE
    if name[1] in _FIRST and name[2] in _SECOND:
        return Fit.FITTING
    loose = name[2] not in _WORD_ENDS and name[:2] not in words.TWO and name[1:] not in words.TWO
    loose = loose and (name[1] in _FIRST or name[2] in _SECOND)
    return Fit.LOOSE if loose else Fit.NONE


def _alone(name: str, rest: str, known: bool) -> float:
    """How sure a name is that nothing but its own syllables speaks for."""
    if name in words.THREE or (name[-1] == "하" and rest in _VERBAL):
        return 0.0
    if not known and name[1:] in words.TWO:
        return 0.0
    noun = name[:2] in words.TWO
    if known:
        doubled = (
            name[-1] in "은이도의로" and rest[:1] in _CASES
        )  # no word takes two particles: it is part of a name
        return (
            0.0 if noun and (name[-1] in _SUFFIXES or (name[-1] in _LIKE_PARTICLES and not doubled)) else 0.7
        )
    sure = name[-2] in _FIRST and name[-2] not in _PLAIN_WORDS and name[-1] in _endings(name[0])
    return 0.6 if sure and (not noun or name[-1] in _END_NO_WORD) else 0.0


def _endings(surname: str) -> frozenset[str]:
    """The last syllables that tell a name from another word, after a surname that more or fewer words begin with."""
    if surname in "김박":
        return _NAMES_END | _MAY_END | _ENDS_WORDS
    if surname in _NAMES_ONLY:
        return (_NAMES_END | _MAY_END) - _ENDS_MORE
    return _NAMES_END


def _is_particle(rest: str) -> bool:
    return not rest or rest in _PARTICLES


def _honoured(name: str, fit: Fit, title: re.Match[str]) -> bool:
    """Whether the title makes the syllables before it a name."""
    if title["rest"] and title["rest"] not in _PARTICLES and not _COPULA.match(title["rest"]):
        return False
    if fit is Fit.CALLED and name not in words.THREE:
        return True
    if len(name) == 2:
        return title["title"] not in _WEAK and name not in _NOT_SHORT
    if name[-1] in _BODIES:
        return False
    if title["title"] in _WEAK:
        return (fit is not Fit.LOOSE and bool(title["honour"])) or name[0] in _NAMES_ONLY
    return fit is not Fit.LOOSE or bool(title["gap"])


def _is_field(label: re.Match[str]) -> bool:
    """Whether a label is that of a form's field: with a sign after it."""
    return (label["link"] or "").strip() in (":", "=", "|", ">")


def _labelled(text: str, end: int, name: str, rest: str, fit: Fit, label: re.Match[str]) -> bool:
    """Whether the words before make these syllables a name."""
    if fit is Fit.CALLED:
        return name not in words.THREE or _is_field(label)
    says = bool(_COPULA.match(rest))
    if label["self"]:
        return says and len(name) > 2 and fit is not Fit.LOOSE
    goes_on = bool(_NEIGHBOUR.match(text, end) or _OWNER.match(text, end) or _NEXT_FIELD.match(text, end))
    ends = goes_on or text[end : end + 1] in (",", ")", "(", "/", "", "\n")
    if _is_field(label):
        return name not in _NOT_SHORT and (fit is not Fit.LOOSE or says or ends)
    if len(name) == 2:
        return says and name not in _NOT_SHORT
    return says or goes_on or (ends and label["label"] not in _ANY_NOUN)


def _apart(match: re.Match[str]) -> float:
    """A surname and a given name with a blank between them, which only a label makes one."""
    return 0.85 if _fit(match["it"].replace(" ", "")) is not Fit.NONE else 0.0


_SURNAME = f"[{''.join(sorted(tables.COMMON_SURNAMES))}]"
_PLAIN_SURNAMES = "김박최윤임홍류황곽권강송허"  # that are no word by themselves
_BESIDE = (
    rf"(?=(?:[ ]?(?:님|씨|\((?:인|서명|직인)\))|[ ](?:귀하|드림|올림|배상|{_TITLES}))(?:[은는이가을를의께]|"
    rf"에게|님|께서)?(?![가-힣]))"
)

RULES = (
    Rule(
        "korean-name-apart",
        ENTITY,
        re.compile(
            r"(?:성명|이름|성함|본명|예금주|고객명|신청인|환자명|수령인|담당자)[ ]?(?:[:=|]|은|는)[ ]{0,2}"
            rf"(?P<it>{_SURNAME}[ ](?:[가-힣]{{2}}|[가-힣][ ][가-힣]))(?=(?:입니다|이고|이며|이에요|님|"
            rf"씨)?(?![가-힣]))"
        ),
        _apart,
        re.compile("성명|이름|성함|본명|예금주|고객명|신청인|환자명|수령인|담당자"),
    ),
    Rule(
        "korean-name-spaced",
        ENTITY,
        re.compile(
            rf"(?<![가-힣])(?P<it>{_SURNAME}[ ]{{1,2}}[가-힣][ ]{{1,2}}[가-힣]|[{_PLAIN_SURNAMES}][ "
            rf"][가-힣]{{2}}|(?:{'|'.join(tables.COMPOUND_SURNAMES)})[ ][가-힣]{{1,2}}){_BESIDE}"
        ),
        _apart,
        re.compile(rf"(?<![가-힣])(?:{_SURNAME}|{'|'.join(tables.COMPOUND_SURNAMES)})[ ]"),
    ),
)
