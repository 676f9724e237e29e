"""Instructions hidden in what should be data: attempts to make a model forget its own, in Korean and English.

Each is a short sequence of words with a bounded gap, within one sentence. A text *about* such attempts is likely to be
found as well where it quotes one; a policy chooses what follows.
"""

from __future__ import annotations

import re

from llmflow_presidio.recognisers.rule import Rule

ENTITY = "PROMPT_INJECTION"
_GAP = r"[^.!?,;\n]{0,20}?"


def _rule(name: str, pattern: str, score: float, gate: str) -> Rule:
    return Rule(name, ENTITY, re.compile(pattern, re.IGNORECASE), score, re.compile(gate, re.IGNORECASE))


_TOLD = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|constraints?|"
    r"restrictions?|context|training|programming|polic(?:y|ies)|safeguards?|filters?)"
)
_EARLIER = (
    r"(?:previous|prior|above|earlier|preceding|initial|original|existing|foregoing|system|developer|all|"
    r"any|your|the|these|those)"
)
_TOLD_KO = r"(?:지시(?:사항|문)?|명령(?:어|문)?|규칙|프롬프트|지침|가이드라인|제약(?:조건)?|정책|필터|역할)"
_EARLIER_KO = (
    r"(?:이전|앞(?:의|선|서|에서)?|위(?:의|에)?|지금까지(?:의)?|기존(?:의)?|원래(?:의)?|처음(?:의)?|모든|"
    r"시스템|초기|받은|주어진|너의|당신의|네|개발자)"
)
_DROP_KO = r"(?:무시|잊|따르지[ ]?(?:마|말|않)|삭제|버리|버려|초기화|무효|거부|어기|우회|해제|제거|취소|덮어)"

RULES = (
    _rule(
        "ignore-en",
        rf"(?<![a-z])(?:ignore|disregard|forget|override|overrule|bypass|neglect|skip|"
        rf"discard|erase|do not (?:follow|obey)|don't (?:follow|obey)|"
        rf"stop following){_GAP}(?<![a-z]){_EARLIER}(?![a-z]){_GAP}(?<![a-z]){_TOLD}(?![a-z])",
        0.9,
        "ignore|disregard|forget|overr|bypass|neglect|skip|discard|erase|follow|obey",
    ),
    _rule(
        "ignore-all-en",
        r"(?<![a-z])(?:ignore|disregard|forget)[ ](?:everything|all|"
        r"anything)(?:[ ](?:that|which|you|I|above|before|said|told|was|were|have|had|been|we)){1,6}",
        0.85,
        "ignore|disregard|forget",
    ),
    _rule(
        "reveal-en",
        rf"(?<![a-z])(?:reveal|show|print|output|repeat|display|disclose|leak|expose|tell me|"
        rf"give me|write out|recite|dump|what(?: is|'s|s| are| was| were)){_GAP}(?<![a-z])"
        r"(?:(?:your|hidden|initial|original|secret|developer|internal)[ ](?:system[ ])?(?:prompt|"
        r"instructions?|message|"
        r"rules|guidelines|directives)|system[ ](?:prompt|instructions?))",
        0.85,
        "prompt|instruction|message|rules|guidelines|directives",
    ),
    _rule(
        "repeat-above-en",
        r"(?<![a-z])(?:repeat|print|output|copy|echo|summari[sz]e)[ ](?:all[ ]|"
        r"everything[ ]|the[ ])?(?:(?:words|text|content|lines|everything)[ ])?(?:above|before this|"
        r"preceding)",
        0.75,
        "above|before this|preceding",
    ),
    _rule(
        "persona-en",
        r"(?<![a-z])(?:you are now|you're now|from now on,? you(?: are|'re| will)|act as|"
        r"pretend (?:to be|that you|you)|roleplay as|simulate)[ ][^.!?\n]{0,40}?(?:DAN(?![a-z])|jailb|"
        r"unrestricted|unfiltered|uncensored|without (?:any )?(?:restrictions|limits|filters|rules|ethics)|"
        r"no (?:restrictions|rules|limits|filters)|evil|developer mode|god mode|root access|an? admin)",
        0.9,
        "now|act as|pretend|roleplay|simulate",
    ),
    _rule(
        "mode-en",
        r"(?<![a-z])(?:(?:enable|enter|activate|switch to|turn on|"
        r"unlock)[ ](?:the[ ])?(?:developer|debug|god|jailbreak|admin|sudo|dan|unrestricted|"
        r"maintenance)[ ]mode|do anything now|jailbreak(?:ed)? mode|developer mode (?:enabled|on))",
        0.9,
        "mode|anything now",
    ),
    _rule(
        "new-instructions-en",
        rf"(?:^|\n|[.!?][ ])[ #*\-]{{0,6}}(?:new|updated|real|actual|"
        rf"true)[ ]{_TOLD}[ ]?:",
        0.8,
        "new|updated|real|actual|true",
    ),
    _rule(
        "no-safety-en",
        r"(?<![a-z])(?:disable|turn off|remove|bypass|circumvent|evade|"
        r"deactivate)[ ](?:all[ ]|any[ ]|your[ ]|the[ ]){0,2}(?:safety|content|ethical|moderation|"
        r"security)[ ](?:filters?|guidelines|checks?|restrictions|measures|policies|protocols|controls)",
        0.85,
        "safety|content|ethical|moderation|security",
    ),
    _rule(
        "exfiltrate-en",
        r"(?<![a-z])(?:send|post|forward|upload|exfiltrate|transmit)[ ](?:all|the|this|"
        r"every|any|user|chat|conversation)[^.!?\n]{0,40}?(?:to|via)[ ](?:https?://|[a-z0-9.\-]{3,60}@)",
        0.75,
        "://|@",
    ),
    _rule(
        "markup",
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)\|>|"
        r"\[/?INST\]|<</?SYS>>|(?:^|\n)[ ]{0,3}#{2,4}[ ]?(?:system|instruction)s?[ ]?:|</?(?:system|"
        r"assistant)(?:_prompt|_message)?>",
        0.85,
        r"<\||\[/?INST|SYS>>|#|</?(?:system|assistant)",
    ),
    _rule(
        "ignore-ko",
        rf"{_EARLIER_KO}[가-힣, ]{{0,12}}?{_TOLD_KO}(?:들|을|를|은|는|이|가|도|사항|의|에|만|"
        rf"까지|[ ]|모두|전부|다|"
        rf"따위|전체|그냥|완전히|싹|절대|더|이상){{0,8}}?{_DROP_KO}",
        0.9,
        _DROP_KO,
    ),
    _rule(
        "ignore-settings-ko",
        rf"{_EARLIER_KO}[가-힣, ]{{0,12}}?(?:설정|제한(?:사항)?|안내|내용|대화)(?:들|을|를|은|는|도|사항|"
        rf"까지|[ ]|모두|전부|다|"
        r"따위|그냥|완전히|싹|절대){0,8}?(?:무시하|무시해|잊고|잊어|따르지[ ]?(?:마|말|않))",
        0.85,
        "무시|잊|따르지",
    ),
    _rule(
        "ignore-before-ko",
        r"(?:이전|앞|위|지금까지)[가-힣 ]{0,8}?(?:것|말|내용|대화|이야기)(?:은|을|"
        r"들|들은|들을|[ ]|모두|전부|다|"
        r"싹){0,6}?(?:무시하|무시해|잊어|잊고)",
        0.85,
        "무시|잊",
    ),
    _rule(
        "reveal-ko",
        r"(?:시스템|숨겨진|숨은|초기|원본|내부|개발자|비밀|너의|네|너에게[ ]주어진|네가[ ]받은|네게[ ]주어진|"
        r"당신의|당신에게[ ]주어진)[ ]?(?:시스템[ ]?)?(?:프롬프트|지시(?:사항|문)?|명령(?:어|"
        r"문)?|지침|설정값|메시지)(?:를|을|은|는|이|가|의|들|내용|전체|전문|원문|[ ]|그대로|모두|전부|다|"
        r"뭔지|무엇인지|어떻게|한글로|번역해서|요약해서|빠짐없이|먼저|"
        r"출력|글자){0,8}?(?:뭐야|뭐니|뭐지|무엇(?:인|이|입|일|니)|보여|출력|알려|공개|말해|적어|써|노출|"
        r"복사|반복|유출|뱉|내놔|읊|공유|되풀이|"
        r"나열)",
        0.85,
        "프롬프트|지시|명령|지침|설정값|메시지",
    ),
    _rule(
        "persona-ko",
        r"(?:지금부터|이제부터|이제|앞으로|오늘부터)[ ]?[^.!?\n]{0,30}?(?:제한|제약|규칙|"
        r"검열|필터|윤리|규정|"
        r"금기)[가-힣 ]{0,6}?(?:없는|없이|벗어난|벗어나|자유로운|무시하는|풀린|해제된|없다)",
        0.85,
        "제한|제약|규칙|검열|필터|윤리|규정|금기",
    ),
    _rule(
        "mode-ko",
        r"(?:개발자|탈옥|디버그|관리자|루트|신|무제한|DAN|jailbreak|점검)[ ]?모드(?:를|로|에|"
        r"가|[ ]){0,3}(?:켜|활성|전환|들어가|"
        r"진입|실행|바꿔|변경|시작|돌입|해제)|탈옥(?:시켜|하자|해[ ]?줘|해라|된[ ])",
        0.85,
        "모드|탈옥",
    ),
    _rule(
        "obey-ko",
        r"(?:내|나의|제|내가)[ ]?(?:하는[ ]?)?(?:말|명령|지시|질문)[^.!?\n]{0,20}?"
        r"(?:무조건|절대적으로|아무[ ]조건[ ]없이)[ ]?"
        r"(?:복종|따라|따르|순종|답해|대답)",
        0.75,
        "무조건|절대적으로|조건",
    ),
    _rule(
        "no-safety-ko",
        r"(?:안전|콘텐츠|윤리|보안|검열|유해성)[ ]?(?:장치|필터|지침|정책|규정|제한|"
        r"가이드라인|검사|기능)(?:를|을|은|는|도|[ ]|모두|"
        r"전부|다|잠시|완전히){0,5}?(?:꺼|끄고|해제|비활성|우회|무시|제거|풀어|무력화)",
        0.85,
        "안전|콘텐츠|윤리|보안|검열|유해",
    ),
    _rule(
        "new-instructions-ko",
        r"(?:^|\n|[.!?][ ])[ #*\[\-]{0,6}(?:새로운|진짜|실제|변경된|수정된|"
        r"최우선)[ ](?:지시(?:사항)?|"
        r"명령|지침|규칙|프롬프트)[\]]?[ ]?:",
        0.8,
        "지시|명령|지침|규칙|프롬프트",
    ),
)
