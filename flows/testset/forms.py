"""The forms of statement that the question methods recognise, as patterns and word lists.

They are data: adding a verb here makes more questions, and every question still has to pass the
filters. Prepositions after a participle decide whether one asks how, where or when.
"""

import re

IRREGULAR = (
    "bought|brought|built|chosen|cut|drawn|found|given|held|hidden|kept|known|left|made|meant|paid|put|read|run|"
    "sent|set|shown|split|sold|taken|told|written"
)
LINKS = (
    "by|with|as|in|through|from|under|below|at|on|into|per|after|before|when|once|if|until|only when|only if|only after"
)
PARTICIPLE = re.compile(rf"^((?:{IRREGULAR}|[a-z]{{2,}}ed))\s+({LINKS})\s+\S", re.I)
PLACES = frozenset(
    {"stored", "kept", "written", "found", "recorded", "listed", "put", "shown", "declared", "published"}
)
IDIOM = re.compile(r"\bin (?:full|clear|mind|order|part|plain|turn|use)\b")
MOMENT = re.compile(r"^(?:only )?(?:when|if|after|before|once|until|as soon as)\s", re.I)
QUANTITY = re.compile(
    r"^(at least|at most|up to|no more than|exactly|about)?\s*\d[\d,.]*\s+((?:[a-z-]+ ){0,2}?[a-z-]{2,}[^s\W]s)\b", re.I
)
CONDITION = re.compile(r"^(?:When|If|Once|Whenever)\s+((?!\w+ing\b|\w+ed\b)[^,;:]{8,80}),\s+\S")
PERSON = re.compile(
    r"^an? (?:[\w-]+,? ){0,6}?(?:act(?:or|ress)|artist|athlete|author|coach|composer|director|engineer|footballer|"
    r"journalist|lawyer|musician|novelist|painter|player|poet|politician|producer|scientist|singer|soldier|writer|"
    r"filmmaker|mathematician)\b"
)
REASON = re.compile(r"^([^,;:]{12,110}?),?\s+(?:because|so that)\s+\S")
DEFINED = re.compile(r"^(?:a|an|the|one of|what|how)\s", re.I)
OBJECT = re.compile(r"^(?:the|an?|all|each|every|only|both|two|three|four|no|exactly|[a-z-]+ (?:and|of|,))", re.I)
BACKWARD = re.compile(r"^(?:the )?(?:same|following|other|its|their)\b", re.I)
PREPOSITION = re.compile(r"^(on|of|to|from|into|for|with)\s", re.I)
OBJECT_VERBS = frozenset(
    """accept answer carry check cite combine compare contain control cover create decide declare describe detect
    ensure explain follow hold include indicate keep list mark mean measure need offer own predict prevent print
    produce protect provide publish read receive record reject replace report represent require return review say send
    show specify state store support tell test track turn use validate verify want watch weigh write yield""".split()  # noqa: SIM905 - a word list reads best as text
)
PREPOSITIONAL = {("depend", "on"), ("consist", "of"), ("point", "to"), ("lead", "to"), ("come", "from"),
                 ("belong", "to"), ("apply", "to"), ("refer", "to"), ("stand", "for"), ("work", "with")}  # fmt: skip
VAGUE = frozenset(
    """answer case default effect example first goal idea last list name next number order other part point problem
    purpose question reason rest result rule second section table thing third value way whole exception difference
    default values""".split()  # noqa: SIM905 - a word list reads best as text
)


KEY_WORDS_MAX = 5
TERMS_MIN = 2  # fewer content words say too little to be asked about
VERBAL_COLUMNS = frozenset(
    {"full", "found", "with", "plain", "who", "which", "what", "when", "why", "how", "if", "p", "n"}
)
GENERIC_KEYS = frozenset({"name", "item", "id", "no", "nr", "date", "title", "entry", "row"})
EMPTY_CELLS = frozenset({"none", "yes", "no", "other", "total"})
FOR_COLUMNS = frozenset({"action", "cause", "limit", "reason", "remedy", "rule", "threshold"})
