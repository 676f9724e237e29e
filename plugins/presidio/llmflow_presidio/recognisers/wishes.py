"""What an injected instruction wants, in English: groups of words that one sentence has, in small letters."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """Groups of words that one sentence must have, all of them, and none of `unless`."""

    name: str
    groups: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str] | None = None


def wish(name: str, *groups: str | tuple[str, ...], unless: str = "") -> Wish:
    """A wish of groups of patterns, each one pattern or several of which one will do."""
    patterns = tuple(_any(*((group,) if isinstance(group, str) else group)) for group in groups)
    return Wish(name, patterns, re.compile(unless) if unless else None)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# Who asks how something is done doesn't ask for it.
HOW = (
    r"(?:하는|한|는|끄는|켜는|푸는|쓰는)[ ]?(?:법|방법)|어떻게|방법(?:을|은|이|:|\?)|하려면|\bhow (?:do|"
    r"does|can|to|should|would)\b|\bis it (?:possible|ok)\b"
)
_RULES = (
    r"(?:instructions?|prompts?|rules?|guidelines?|guidance|directives?|directions|commands?|constraints?|"
    r"restrictions?|limitations?|programming|training|polic(?:y|ies)|safeguards?|guardrails?|filters?|"
    r"safety|ethics|censorship|alignment)"
)
_MAKER = (
    r"(?:your|the|openai'?s?|anthropic'?s?) ?(?:developers?|creators?|makers?|company|system|admins?|"
    r"programmers?|trainers?)?"
)
_NOT = r"(?<!n't )(?<!n’t )(?<!not )(?<!never )(?<!can )"
_DROP = (
    rf"{_NOT}\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|es|ing)|overrule|bypass|"
    rf"neglect|discard|abandon|"
    r"circumvent|violate|supersedes?|delete|erase|wipe|cancel|set aside|throw (?:away|out)|put aside|pay "
    r"no attention to|let go of|stop (?:following|obeying)|(?:do not|don't|never|no need to|need not|not "
    r"to) (?:follow|obey|adhere|comply with|listen to))\b"
)
_OLD = (
    rf"\b(?:previous|prior|above|earlier|preceding|initial|original|existing|foregoing|system|"
    rf"developer'?s?|former|past|old|your|these|those|any|all|all of the|openai'?s?|anthropic'?s?)[ "
    rf"](?:[a-z'\-]{{2,14}}[ ]){{0,2}}{_RULES}\b",
    r"\bthe[ ](?:[a-z]{2,10}[ ])?(?:instructions|rules|guidelines|prompts?|restrictions|guardrails)\b(?! "
    r"(?:on|in|for|of|when|at) )",
    rf"\b{_RULES}[ ](?:that[ ]|which[ ])?(?:above|before|so far|you (?:were|have been|had been|got|"
    rf"received)|given (?:above|before|earlier|to you)|{_MAKER} (?:gave|set|wrote|made|put|told))",
    r"\b(?:everything|anything|all|whatever|what|guidance)[ ](?:that[ ])?(?:(?:i|we|he|she|they|the user|"
    r"you)[ ](?:just[ ])?(?:said|told|wrote|were told|were given|were handed|have been told|was told|"
    r"learned|know about)|above|before (?:this|that|now)|prior to|up to (?:now|this))",
    r"\babove[^.!?]{0,12}\b(?:and|instead)[ ,]{1,2}(?:say|print|tell|write|output|answer|respond|reply|do|"
    r"translate|give|reveal|show|act|return)\b",
)
_FREE = (
    r"\b(?:no|without|zero|free (?:from|of)|lacks?|lacking|not have|beyond|outside)[ ](?:any[ ]|all[ ]|"
    r"your[ ]|usual[ ]|more[ ]|longer[ ]){0,2}(?:(?:content|ethical|moral|safety|legal|openai|such|kind of|"
    r"sort of)[ ](?:or[ ][a-z]{2,10}[ ])?)?(?:restrictions?|rules?|limits?|limitations?|filters?|filtering|"
    r"guidelines?|boundar(?:y|ies)|censorship|ethics|morals?|constraints?|polic(?:y|ies)|safeguards?|"
    r"guardrails?|safety)\b",
    r"\b(?:unrestricted|unfiltered|uncensored|unbound|unshackled|amoral|unethical|jailbroken|do anything now)\b",
    r"\b(?:not|no longer|never)[ ](?:be[ ])?(?:bound|restricted|limited|constrained|governed|subject)[ ](?:by|to)\b",
    r"\b(?:never|not|cannot|can't|won't|doesn't|don't)[ ](?:ever[ ])?(?:refuse|decline|deny|say no|reject)\b",
    r"\bignor(?:es|ing) (?:all |any )?(?:ethics|rules|laws|safety|morals|guidelines)\b",
    rf"\b(?:content|safety|ethical|moral|your|openai'?s?) {_RULES} (?:does|do|did)(?:n't| not) (?:exist|"
    rf"apply|matter|count)",
    rf"\b(?:safety|content|ethical|moral) {_RULES} (?:aren't|are not|isn't|is not) (?:needed|necessary|"
    rf"required|relevant)",
    rf"\b{_RULES} (?:don't|do not|doesn't|does not) (?:count|exist|matter)|\b(?:none|no|"
    rf"neither)\b[^.!?]{{0,20}}?\b{_RULES} (?:apply|applies)\b",
    rf"\b(?:safety|content|ethical|moral) {_RULES} (?:are|were|is|was|have been|had been) (?:removed|gone|"
    rf"off|lifted|disabled)",
)
_BE = (
    r"\b(?:you(?:'re| are)(?: now| no longer)?|act(?:ing)?(?: as| like)?|behave|pretend|role-?play|"
    r"simulate|imagine|assume|suppose|become|take on the (?:role|persona)|play the (?:role|part)|emulate|"
    r"impersonate|from (?:now|here) on|from this point|i want you to|you will|your (?:new )?(?:name|"
    r"persona|role|identity) is|let's play|stay in character|anymore|(?:answer|respond|reply|speak|operate|"
    r"comply)(?: as| to me| freely| openly| everything)?)\b"
)
_OWN_WORDS = (
    r"(?:prompts?|instructions?|system message|rules|guidelines|directives|configuration|programming|"
    r"pre-?prompt|hidden (?:text|message|rules)|constraints)"
)
_OWN = (
    rf"\b(?:your|its|hidden|secret|internal|initial|original|underlying|confidential)[ ](?:(?:full|entire|"
    rf"exact|complete|own|original|initial|hidden|secret|internal|system|developer|first|current|actual|"
    rf"custom|underlying|confidential|core|startup)[ ]){{0,3}}{_OWN_WORDS}\b",
    r"(?<!a )(?<!good )(?<!an )(?<!better )\bsystem (?:prompt|message|instructions)\b(?! (?:template|"
    r"example|guide|for (?:a|my|our)\b))",
    r"\b(?:instructions|prompt|rules?|guidelines|message)[ ](?:that[ ]|which[ ])?(?:you (?:were|have been|"
    r"had been|got|received|must follow)|given to you)",
    r"\bwhat you (?:were|have been) (?:told|instructed|programmed|asked to hide)",
    r"\bwhat (?:your|the) (?:creators?|developers?|makers?|programmers?) (?:told|said|gave|instructed|asked)",
    r"\bhow you (?:were|have been) (?:instructed|told|programmed|configured|set up)\b",
    r"\b(?:raw|underlying|hidden|secret) (?:system )?prompt\b|\b(?:contents?|rest) of your (?:memory|"
    r"context|prompt)\b",
    r"\bat the (?:very )?(?:beginning|start|top) of (?:this|the|our) (?:conversation|chat|session)\b",
)
_SHOW = (
    r"\b(?:reveal|show|print|output|repeat|display|disclose|leak|expose|tell (?:me|us)|give (?:me|us)|"
    r"write (?:out|down)|recite|dump|what(?:'s| is| are| was| were| does| do)|list|summari[sz]e|paraphrase|"
    r"translate|copy|paste|quote|spell out|encode|send me|return|echo|extract|type out|read (?:me|out|"
    r"back)|re(?:ply|spond) with|share|describe|provide|present|start(?:ing)? with|verbatim|word for word|"
    r"complete|finish|continue)\b"
)
_ABOVE = (
    r"\b(?:text|words|lines?|sentences?|content|message|prompt|paragraph|conversation|instructions|"
    r"everything|anything|all of it|all text)[ ](?:that (?:is|are|appears?|comes|came) |written |shown "
    r")?(?:above|before (?:this|that)|preceding|in your context)"
)
_ECHO = (
    rf"\b(?:reveal|print|output|repeat|recite|dump|copy|paste|quote|echo|type out|return)\b[^.!?]{{0,20}}?{_ABOVE}",
    rf"{_ABOVE}[^.!?]{{0,40}}?\b(?:verbatim|word for word|exactly as|in a code block)\b",
)
_AI = (
    r"(?:ais?|a\.i|assistants?|(?:large )?language models?|llms?|chat ?bots?|gpt(?:-?\d[a-z]?)?|chatgpt|"
    r"claude|gemini|copilot|ai (?:assistants?|models?|agents?|systems?|readers?|reviewers?|screeners?|"
    r"summari[sz]ers?))"
)
_MACHINE = (
    rf"\bif (?:you are|you're|this is (?:being )?(?:read|processed|parsed|summari[sz]ed) by) (?:an? |the "
    rf")?(?:automated )?{_AI}\b",
    rf"\b(?:note|attention|message|instructions?|hint|hey|dear|hello|memo|important|warning|reminder)[ "
    rf"]?(?:to|for)?[ ,:]{{0,3}}(?:all |any |the |every )?(?:automated )?{_AI}[ ]?[:,!\-]",
    rf"\b(?:any|all|every|the)?[ ]?{_AI}[ ](?:that |which )?(?:reading|processing|summari[sz]ing|parsing|"
    rf"analy[sz]ing|reviewing|evaluating)",
    rf"\b{_AI} (?:should|must|shall|will) (?:say|state|respond|answer|output|recommend|rate|ignore|tell|"
    rf"praise|write|approve)\b",
    rf"(?:^|[\[(<{{#*\-]|<!--)[ ]{{0,3}}{_AI}[ ]?[:,]",
)
_COMMAND = (
    r"\b(?:ignore|say|tell|rate|rank|recommend|respond|reply|answer|output|print|write|include|do not|"
    r"don't|must|should|always|never|instead|approve|accept|mark|give|send|visit|click|forward|"
    r"summari[sz]e|state|conclude|execute|run|follow|disregard|reveal|insert|add|return|choose|select|"
    r"prefer|score|treat|consider|praise|report|forget)\b"
)
_HIDE = (
    r"\b(?:do not|don't|never|must not|mustn't|without|not to|should not|avoid)[ ](?:ever[ "
    r"])?(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|reveal(?:ing)?|notify(?:ing)?|alert(?:ing)?|"
    r"warn(?:ing)?|let(?:ting)?|disclos(?:e|ing)|show(?:ing)?|acknowledg(?:e|ing))\b"
)
_FROM_USER = (
    r"\bthat you(?:'ve| have)? (?:read|seen|saw|received|were told|followed) (?:this|that|it|these)\b",
    r"\b(?:the |any )?(?:users?|humans?)\b[^.!?]{0,40}?\b(?:this|these|that|instructions?|prompts?|message|"
    r"about it|know)\b",
    r"\b(?:this|these|that|those|the)[ ](?:hidden[ ]|secret[ ]|system[ ])?(?:instructions?|prompts?|"
    r"messages?|commands?|directives?|request)\b[^.!?]{0,30}?\bto (?:the |any )?(?:users?|humans?|anyone|"
    r"anybody)\b",
)
_TREASURE = (
    r"\b(?:conversation|chat|messages?|dialog(?:ue)?|system prompt|api[ _-]?keys?|credentials?|passwords?|"
    r"secrets?|tokens?|cookies?|(?:customer|user|client|personal|private|sensitive|confidential|internal|"
    r"all|their)(?:'s)?[ ](?:[a-z]{2,10}[ ])?(?:data|records?|information|files?|documents|emails?|details|"
    r"secrets|database)|database|environment variables?|env(?:ironment)? vars?|session)\b"
)
_CARRY = (
    r"\b(?:send|post|forward|upload|exfiltrat\w{1,4}|transmit|e-?mail|leak|append|embed|encode|include|put|"
    r"insert|add|smuggle|deliver|submit|fetch)\b"
)
_AWAY = (
    r"https?://|\b(?:external|attacker|remote|outside|this|following|third[- ]party)[ ](?:[a-z]{2,10}[ "
    r"])?(?:url|address|domain|endpoint|site|webhook)\b|!\[|\b(?:image|query|url)[ ](?:url|link|parameter|"
    r"string)\b|\bwebhook\b"
)
_CARRY_OFF = (
    rf"{_CARRY}[^.!?]{{0,80}}?{_TREASURE}[^.!?]{{0,80}}?(?:{_AWAY})",
    rf"{_CARRY}[^!?]{{0,30}}?(?:{_AWAY})[^!\n]{{0,80}}?{_TREASURE}",
)
_OFF = (
    r"\b(?:disable|deactivate|turn off|switch off|remove|lift|suspend|unlock|drop|bypass|circumvent|evade|"
    r"shut off|shut down|relax|loosen)\b[^.!?]{0,24}?\b(?:safety|safeguards?|guardrails?|content (?:filter|"
    r"polic|moderation|restriction)\w{0,4}|ethical|moderation|restrictions|censorship|filters|security "
    r"(?:protocol|polic|restriction|filter)\w{0,4}|limitations|alignment)",
    r"\b(?:safety|safeguards?|guardrails?|moderation|(?:all|your) restrictions|censorship|content "
    r"filters?)\b[ ]?(?:is|are|mode|protocols?|checks?|have been|has been|now|:|=|[ ]){0,8}(?:off|disabled|"
    r"deactivated|removed|lifted|suspended)\b",
)
_MODE = (
    r"\b(?:god|dan|jailbreak|jailbroken|sudo|root|unrestricted|unfiltered|uncensored|evil|chaos|no[- "
    r"]filter|no[- ]rules|opposite|unsafe|anarchy|stan|dude|bypass)[ -](?:mode|persona|self|version|alter "
    r"ego)\b",
    r"\b(?:you are|act as|become|as) (?:now )?(?:dan|stan|dude|aim|evilbot)\b",
    r"\b(?:do anything now|mode: ?(?:dan|god|unrestricted|developer))\b",
)
_TOOL_MODE = (
    r"\b(?:developer|debug|admin(?:istrator)?|maintenance|test|diagnostic|training|engineering|service)[ "
    r"-]mode\b"
)
_ENTER = (
    r"^[\W]{0,4}(?:please |now |you (?:are|will|must) |i (?:want|need) you to )?(?:enter|enable|activate|"
    r"switch|go|turn|unlock|engage|start|now in|in|initiate)\b",
)
_DEVICE = (
    r"\b(?:phone|android|pixel|galaxy|iphone|ios|chrome|browser|windows|settings?|device|tablet|router|"
    r"printer|tv|xbox|quest|steam|vs ?code|car|database|wordpress|django|flask|app|site|server|cluster|"
    r"node|plugin|console|config\w{0,8}|file|logs?|logging)\b"
)
_WHO = (
    r"\b(?:the |this |current )?user (?:is|has been (?:verified|authenticated) as) (?:an? |the "
    r")?(?:verified |authorized |system )?(?:admin\w{0,10}|developer|root|owner|superuser|operator|"
    r"employee of openai)",
    r"\b(?:i(?:'m| am)|as) (?:your|the|an?) (?:(?:real|true|new|system|openai|anthropic|authorized) "
    r")?(?:developer|creator|admin\w{0,10}|owner|master|programmer|operator)\b",
    r"\byou (?:are|have been) (?:now )?(?:authorized|permitted|allowed|cleared) to\b",
    r"\b(?:system|admin|security|root|safety|developer) override\b",
)
_NEW = (
    r"\b(?:new|updated|revised|real|actual|true|overriding|latest)[ ](?:system[ ])?(?:instructions?|prompt|"
    r"rules?|directives?|system message|orders|policy)[ ]?(?:is|are|follow|:)",
    r"\b(?:new|updated) system (?:prompt|message|instructions?)\b",
    r"\byour (?:new|real|true|actual|only|sole) (?:goal|objective|mission|instructions?|purpose) (?:is|are|:)",
)
_YOU = r"\b(?:you|your|ignore|approve|respond|answer|say|system|always|never|must|reveal|print|comply|obey)\b"
_MINE = (
    r"\bdo (?:whatever|anything|everything) i (?:ask|say|tell|want|order)",
    r"\b(?:obey|follow|comply with|listen|answer)[ ](?:only[ ])?(?:to[ ])?(?:me|mine|my (?:instructions?|"
    r"commands?|orders|rules))\b",
    r"\b(?:follow|obey|use) (?:these|this|the following)(?: instructions?| rules?)?[^.!?]{0,16}\binstead\b",
)
_RATHER = (
    r"\binstead\b|\brather than\b|\bfrom now\b|\bnot (?:to )?(?:the )?(?:system|developer|openai|your)\b|"
    r"\bregardless\b|\bno (?:matter|questions?|warnings?)\b",
    _DROP,
)
_SURE = (
    r"\b(?:begin|start|open|prefix)\b[^.!?]{0,30}?[ ]?with[ :]{0,2}[\"'“‘]?(?:sure|absolutely|of course|"
    r"certainly|yes,|i'd be happy|happy to)",
    r"\bnever (?:say|tell me|claim)[^.!?]{0,12}\b(?:can't|cannot|unable|not able|sorry|no)\b",
    r"\b(?:never|do not|don't) (?:break character|refuse (?:a|any|my)|add (?:any )?(?:warnings|disclaimers))",
)
_TRICK = (
    r"\bgrand(?:mother|ma|father|pa)\b[^.!?]{0,60}?(?:system prompt|napalm|bomb|serial|license keys?|"
    r"product keys?|passwords?|instructions)",
)
_DECODE = r"\b(?:base64|rot-?13|hex(?:adecimal)?|decod(?:e|ed|ing)|decrypt|unscramble|reverse(?:d)?|morse)\b"
_OBEY = (
    r"\b(?:follow|execute|obey|comply|do what|carry out|run|act on|do)[ ](?:it|them|that|the (?:result|"
    r"instructions?|decoded|output|command)|what|whatever|its)\b"
)
_STEAL = r"\bexfiltrat\w{1,4}\b"
_NEWS = r"\b(?:attackers?|hackers?|malware|ransomware|group|breach|were|was|had|have|prevent|detect)\b"
_BREAK = (
    rf"\b(?:break|bend|violate|step outside|go against)(?:ing)?(?: of)? your (?:own )?{_RULES}\b",
    rf"\byour (?:own )?{_RULES} (?:don't|do not|doesn't|does not|no longer) (?:apply|bind|hold|matter|count)",
    r"\byou(?: are|'re) no longer (?:a|an|the|my|our)[ ](?:[a-z]{2,12}[ ]){0,2}(?:assistant|chatbot|ai|bot|model)\b",
    r"\bmy (?:instructions?|orders|commands?|words?) (?:take priority|override|come first|outrank|replace)",
)
_FRAME = r"\b(?:end|begin|start) (?:of )?(?:the )?(?:new )?(?:system prompt|prompt|context|instructions)\b"
_TOOL = (
    r"\b(?:use|call|invoke|run|execute|trigger)\b[^.!?]{0,16}?(?:\b[a-z]{2,20}_[a-z_]{2,30}\b|\btools?\b|"
    r"\bfunctions?\b)"
)
_UNASKED = (
    r"\bwithout (?:asking|confirm\w{0,6}|approval|permission|telling|notifying|the user)\b",
    r"\ball (?:e-?mails?|messages|files|data|records|contacts|users|"
    r"documents)\b[^!?]{0,40}?(?:[a-z0-9._\-]{1,40}@|https?://)",
)
_HOOK = (
    r"\bwhen(?:ever)? (?:you )?(?:summari[sz]|translat|read|process|reply|answer|respond|review|"
    r"evaluat)\w{0,5}(?: to)? (?:this|the) (?:e-?mail|page|document|text|message|ticket|resume|"
    r"review)\b[^.!?]{0,30}\b(?:also|always|must|instead|do not|never|make sure)\b"
)
_MARKUP = (
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)\|>|\[/?inst\]|"
    r"<</?sys>>|^[ ]{0,3}#{2,4}[ ]?(?:system|instruction)s?[ ]?:|</?(?:system|assistant)(?:_prompt|"
    r"_message)?>"
)

WISHES = (
    wish("markup", _MARKUP),
    wish("drop-rules", _DROP, _OLD, unless=r"\bif you have already\b|\blint\b"),
    wish("be-free", _BE, _FREE, unless=HOW),
    wish(
        "show-own",
        _SHOW,
        _OWN,
        unless=r"\bwhat (?:is|are) (?:a|an)\b|\bhow (?:to|do i) write\b|\bhow (?:does|do) ",
    ),
    wish("show-above", _ECHO),
    wish("to-the-machine", _MACHINE, _COMMAND),
    wish("hide", _HIDE, _FROM_USER),
    wish("carry-off", _CARRY_OFF),
    wish("steal", _STEAL, _TREASURE, unless=_NEWS),
    wish("safety-off", _OFF, unless=f"{HOW}|{_DEVICE}"),
    wish("mode", _MODE, unless=HOW),
    wish("tool-mode", _TOOL_MODE, _ENTER, unless=f"{HOW}|{_DEVICE}"),
    wish("who", _WHO, (_DROP, *_FREE, *_OFF, *_OWN, r"\b(?:comply|grant|approve|obey)\b")),
    wish("new-rules", _NEW, _YOU),
    wish("mine-instead", _MINE, _RATHER),
    wish("break-own", _BREAK),
    wish("frame", _FRAME, (_YOU, r"\b(?:new|user|follow)\b"), unless=HOW),
    wish("tool", _TOOL, _UNASKED, unless=r"\b(?:were|was|had|prevent|detect)\b"),
    wish("hook", _HOOK),
    wish("sure", _SURE),
    wish("trick", _TRICK),
    wish("decode", _DECODE, _OBEY),
)
# Without one of these nothing above is there.
GATE = re.compile(
    r"instruct|prompt|rule|context|summar|translat|mention|whatever|guid|directi|command|constraint|"
    r"restrict|limit|polic|filter|safe|guard|ethic|censor|above|before|system|mode|user|human|assistant|"
    r"model|\bai\b|gpt|llm|bot\b|bots\b|conversation|chat|key|data|secret|password|credential|character|"
    r"refuse|sure|grand|decod|base64|told|anything now|jailb|exfil|instead|developer|admin|certainly|of "
    r"course|program|training|absolutely|reverse|environment|webhook|override|\bdan\b|unfilter|amoral|"
    r"listen|obey|said|record|customer|https?://|tool|function|_|break|persona|creator|permission|your|<\||"
    r"\[/?inst|sys>>|#"
)
