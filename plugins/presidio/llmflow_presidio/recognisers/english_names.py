"""Names of people in Latin letters: first names, surnames, titles, and the words that a name comes after."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers import latin_names as tables

ENTITY = "PERSON"
_CAPITAL, _LETTER = "A-ZÀ-ÖØ-ÞĆČĐĞİŁŃŚŞŠŹŻŽ", "A-Za-zÀ-ÖØ-öø-ſ"
_WORD = rf"[{_CAPITAL}][{_LETTER}'’\-]{{1,20}}"
_SEQUENCE = re.compile(
    rf"(?<![{_LETTER}0-9@._/\-])(?:(?:[A-Z]\.[ ]?){{1,2}})?(?:{_WORD})(?:[ ](?:[A-Z]\.|St\.[ ]{_WORD}|"
    rf"(?:van|von|de|da|del|bin|al|der|dos|du|la|le|ibn|den|el)(?![{_LETTER}])|"
    rf"{_WORD})){{0,4}}(?![{_LETTER}0-9@_/])"
)
_TITLES = frozenset(
    "mr mrs ms miss mx dr prof professor sir madam captain capt judge officer senator rev reverend sgt "
    "sergeant lt lieutenant col "
    "colonel gen general nurse detective dame lord lady".split()
)
_TITLED = re.compile(
    r"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Madam|Captain|Capt|Judge|Officer|Senator|Sen|"
    r"Rep|Rev|Sgt|Lt|Col|Gen)\.?[ ]$"
)
_ROLES = (
    r"name|recipient|attn|attention|patient|customer|client|employee|tenant|landlord|plaintiff|defendant|"
    r"witness|author|applicant|card ?holder|holder|manager|beneficiary|sender|contact(?: person)?|guest|"
    r"passenger|driver|owner|member|assignee|reporter|reviewer|approver|supervisor|attendees?|"
    r"participants?|instructor|teacher|student|doctor|nurse|husband|wife|colleague|friend|boss|brother|"
    r"sister|son|daughter|mother|father|interviewer|candidate|nominee|speaker|host"
)
_NAMED = re.compile(
    rf"(?:(?:full|first|last|customer|patient|employee|contact|account[ ]holder|card[ ]?holder|legal)?[ "
    rf"]?name[ ]?(?:is|was|:|=)|(?:^|[ .,\n])(?:I am|I'm|I’m|this is|it's)|(?:{_ROLES}|signed|sincerely|"
    rf"regards|from|to|cc|bcc|spoke with|met with|talk to|ask|named|called|dear|hi|hello|hey|by|with|성명|"
    rf"이름|고객|담당자|예금주|작성자|수령인|영문명|영문 ?이름|영문 ?성명|담당자는|이름은|성함은)[ "
    rf"]?[:,]?)[ \n]{{1,2}}$",
    re.IGNORECASE,
)
_FIRM = re.compile(
    r"(?:is|:|=|영문명|영문 ?이름|영문 ?성명|I am|I'm|I’m|this is|dear|contact|spoke (?:with|to)|"
    r"talk(?:ed)? to|named|ask|signed by|written by|prepared by|approved by|reviewed by)[ \n]{1,2}$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    rf"(?:[A-Za-z]{{1,12}}[_ ]?)?(?:{_ROLES})[\"']?[ ]?[:=][ ]?[\"']?$|\b(?:first|last|given|"
    rf"family)[\"']?[ ]?[:=][ ]?[\"']?$",
    re.IGNORECASE,
)
_CALLED_AFTER = re.compile(
    r"[ ]?(?:씨|님|et al)(?![가-힣]{3})|[ ](?:대표|이사|상무|전무|부장|차장|과장|대리|사원|팀장|교수|박사|"
    r"선생|감독|매니저|연구원)"
)
_GREETED = re.compile(r"(?:^|\n)[ ]{0,3}(?:hi|hello|hey|dear)[ ]$", re.IGNORECASE)
_EVERYBODY = frozenset(
    "there all team everyone world guys folks friend friends kitty support help again google siri alexa claude "
    "chatgpt gpt gemini assistant ai bot copilot model".split()
)
_SIGNED = re.compile(
    r"(?:regards|wishes|sincerely|thanks|thank you|cheers|best|yours(?: truly| faithfully| sincerely)?|"
    r"respectfully|warmly)[,.!]?[ ]?\n{1,2}[ ]{0,3}$",
    re.IGNORECASE,
)
# Surnames that tell a name beside a first name that nobody has.
_SURNAMED = frozenset(
    "kim park choi jung jeong chung kang jo yoon yun jang hwang ahn yoo baek heo nam smith johnson "
    "williams jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson thomas "
    "thompson harris sanchez ramirez lewis robinson torres nguyen flores adams nelson rivera campbell "
    "mitchell roberts patel singh khan chen wang zhang liu yang huang tanaka suzuki sato zhou zhu guo luo "
    "gao zheng liang xie tran pham hoang phan watanabe yamamoto nakamura o'brien o'connor o'neill murphy "
    "kelly kowalski ivanov petrov schmidt schneider fischer weber muller hoffmann dubois moreau rossi "
    "ferrari silva santos oliveira johansson andersson hansen larsen nielsen sharma gupta kumar reddy "
    "okafor adeyemi mensah novak kovacs".split()
)
_KOREAN = frozenset(
    "kim lee park choi jung jeong kang cho yoon jang lim han oh seo shin kwon hwang ahn song hong yoo ko "
    "moon son bae baek heo nam "
    "yang ryu jeon min jin cha joo ha go chung yu noh no roh gu koo sim shim won bang do ma pyo eom um".split()
)
_SYLLABLE = (
    "(?:gg|kk|tt|pp|ss|jj|ch|sh|hw|[bcdghjkmnprstwy])?(?:yeo|yae|wae|eo|eu|ae|oe|ui|wa|wo|we|wi|ya|ye|yo|yu"
    "|oo|ee|yi|[aeiou])(?:ng|[nmklpth](?![aeiou]))?"
)
_ROMANISED = re.compile(rf"{_SYLLABLE}-{_SYLLABLE}|{_SYLLABLE}(?=[bcdghjkmnprstwy]){_SYLLABLE}")
_NOT_ROMANISED = frozenset(
    "avenue service river hotel city open solo bank mate made came time date code kimono image".split()
)
_NOT_LAST = frozenset(  # ends of names of other things
    """
    street st avenue ave road rd drive boulevard blvd square inc ltd corp corporation company university
    college school hospital bank airport station river lake mountain island city county state week award prize
    theory method algorithm law effect test api app server cloud studio code pro max plus is was will can and
    or the a an has had said says asked wrote called at in on of to for with from by his her monday tuesday
    wednesday thursday friday saturday sunday january february march april june july august september october
    november december open series edition group team hotel beach bridge house center centre notebook workbook
    kernel language model version release framework foundation falls saint germain museum park garden gardens
    library club association institute society council committee department division unit office press times
    post news journal magazine radio channel games studios records pictures films music band theatre theater
    cinema airlines airways motors electric electronics technologies technology systems solutions services
    service partners holdings capital ventures insurance financial finance trust fund funds securities
    investments pharma pharmaceuticals labs lab laboratory industries manufacturing foods food coffee cafe
    restaurant bar grill bakery kitchen resort spa inn lodge mall market store shop plaza tower towers court
    palace castle cathedral church temple chapel abbey memorial monument stadium arena dome bay cape coast
    desert valley canyon creek forest grove hills mountains peak ridge springs ocean sea gulf canal port harbor
    harbour republic kingdom empire union federation states province region district borough village town
    township act bill rule amendment treaty agreement protocol convention plan program programme project
    initiative campaign war battle report review guide manual handbook book novel story song album movie film
    show episode season chapter section page table figure index list map chart diagram theorem lemma equation
    constant number formula transform distribution coefficient curve scale optimizer search tree graph network
    machine learning intelligence engine database client driver module package plugin extension update patch
    fix bug feature request issue ticket order invoice receipt payment account balance card gift voucher
    discount sale sales deal offer price fee tax bonus leave holiday vacation trip tour flight cruise train bus
    car truck boat ship plane terminal gate platform room floor building block wing phone tablet laptop
    computer printer camera watch manager colleague colleagues customer customers member members partner all
    everyone sir madam friends user users support desk business management marketing engineering administration
    operations resources human summit conference workshop meeting seminar webinar session festival cup league
    championship tournament race marathon day night morning evening afternoon year century era age time hour
    minute security policy standard certificate license software hardware device browser windows linux word
    excel cell blue red green black white yellow gold silver accords technique pier contributors maintainers
    authors developers lane heights estate terrace crescent close way
    """.split()
)
_NOT_FIRST = frozenset(
    "the a an this that these those my your our i i'm i’m we he she it dear hello hi hey please contact "
    "call email meet ask tell from to by with for and or but if when customer client patient employee name "
    "manager director ceo cto cfo president vice agent user hiring valued thanks cheers best regards "
    "attention attn cc bcc subject re fwd on in at as is was are all new no yes "
    "employee tenant landlord author plaintiff defendant reviewed-by signed-off-by co-authored-by".split()
)
_BEFORE_WORDS = frozenset(
    "new old south north east west royal saint grand lake mount port fort big little great central "
    "national general university "
    "prince king queen captain".split()
)


@dataclass(frozen=True)
class EnglishNames:
    """Finds names in Latin letters in one scan over words with capitals."""

    name: str = "english-name"

    def find(self, text: str) -> Iterator[Finding]:
        """Names, without titles."""
        for match in _SEQUENCE.finditer(text):
            words = [*re.finditer(r"[^ ]+", match.group())]
            span, score = _name(text, match.start(), words)
            if score:
                yield Finding(match.start() + span[0], match.start() + span[1], ENTITY, score, self.name)


def _name(text: str, at: int, words: list[re.Match[str]]) -> tuple[tuple[int, int], float]:
    """Where among these words a name is, and how sure."""
    skipped, honoured = 0, False
    while skipped < len(words) and (
        _plain(words[skipped]) in _NOT_FIRST or _plain(words[skipped]) in _TITLES
    ):
        honoured = _plain(words[skipped]) in _TITLES and skipped + 1 < len(words)
        skipped += 1
    rest = words[skipped:]
    if not rest:
        return (0, 0), 0.0
    lead = text[max(0, at + rest[0].start() - 40) : at + rest[0].start()]
    length = _length(rest)
    titled = honoured or _TITLED.search(lead) or _CALLED_AFTER.match(text, at + rest[-1].end())
    greeted = _GREETED.search(lead) and text[at + rest[-1].end() : at + rest[-1].end() + 1] in (
        ",",
        "\n",
        "!",
        "",
    )
    if greeted and length == 1 == len(rest) and _plain(rest[0]) not in _EVERYBODY:
        return (rest[0].start(), _end(rest, 1)), 0.85
    if length and (titled or _introduced(lead, rest, length)):
        return (rest[0].start(), _end(rest, length)), 0.9
    for index in range(len(rest)):
        length = _length(rest[index:])
        if length > 1 and _alone(rest[index:], length):
            return (rest[index].start(), _end(rest[index:], length)), 0.75
    return (0, 0), 0.0


def _introduced(lead: str, words: list[re.Match[str]], length: int) -> bool:
    """Whether the words before say that a name comes, and these words may be one."""
    field, signed = _FIELD.search(lead), _SIGNED.search(lead)
    if not field and not signed and not _NAMED.search(lead):
        return False
    first, last = _first(words), _last(words, length)
    given = first in tables.GIVEN or first in tables.GIVEN_WORDS
    if length == 1:
        return first in tables.GIVEN or bool(given and (field or signed))
    family = last in tables.SURNAMES or last in tables.SURNAME_WORDS
    return given or family or bool(field or signed or _FIRM.search(lead)) or words[0].group().endswith(".")


def _alone(words: list[re.Match[str]], length: int) -> bool:
    """Whether nothing but themselves makes words a name."""
    first, last = _first(words), _last(words, length)
    if first in tables.GIVEN:
        return True
    if first in tables.GIVEN_WORDS:
        return last in tables.SURNAMES
    if first in tables.SURNAMES and last in tables.GIVEN and length == 2:
        return True
    if _romanised(_plain(words[0]), _plain(words[1])):
        return True
    return first.isalpha() and first not in _BEFORE_WORDS and last in _SURNAMED


def _romanised(one: str, other: str) -> bool:
    """Whether two words are a Korean surname and given name in Latin letters, in either order."""
    for surname, given in ((one, other), (other, one)):
        if surname in _KOREAN and given not in _NOT_ROMANISED and _ROMANISED.fullmatch(given):
            return True
    return False


def _length(words: Sequence[re.Match[str]]) -> int:
    """How many of these words may be one name: up to three, ended by a word that no name has."""
    length = 0
    for word in words[:4]:
        plain = _plain(word)
        shouted = len(plain) > 1 and word.group().isupper() and not words[0].group().isupper()
        if plain in _NOT_LAST and not _family(words, plain, length):
            break
        if shouted:
            break
        length += 1
        if word.group().endswith(("'s", "’s")):
            break
    return min(length, 3)


def _family(words: Sequence[re.Match[str]], plain: str, length: int) -> bool:
    """Whether a word that names of other things end in is a surname here: Park Jae-hyun, Jessica Park."""
    if length == 0:
        return plain in _KOREAN
    return _first(words) in tables.GIVEN and (plain in tables.SURNAMES or plain in tables.SURNAME_WORDS)


def _plain(word: re.Match[str]) -> str:
    """A word in small letters without accents, and without what is only written at its end."""
    low = word.group().lower().strip(".").removesuffix("'s").removesuffix("’s")
    if low.isascii():
        return low
    return "".join(
        sign
        for sign in unicodedata.normalize("NFD", low.replace("ł", "l").replace("ø", "o"))
        if sign < "\u0300" or sign > "\u036f"
    )


def _first(words: Sequence[re.Match[str]]) -> str:
    """The first name, of two that a dash joins the first."""
    plain = _plain(words[0])
    return plain if plain in tables.GIVEN or "-" not in plain else plain.partition("-")[0]


def _last(words: Sequence[re.Match[str]], length: int) -> str:
    return _plain(words[length - 1])


def _end(words: Sequence[re.Match[str]], length: int) -> int:
    word = words[length - 1]
    return word.end() - (2 if word.group().endswith(("'s", "’s")) else 0)
