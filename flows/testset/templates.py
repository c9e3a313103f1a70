"""The wording of questions: for each method a plain form and other ways to ask the same.

`{s}` subject, `{v}` verb as written, `{b}` verb in base form, `{do}` do or does, `{be}` is or are,
`{p}` participle, `{u}` unit, `{c}` condition, `{x}` table key,
`{k}` and `{h}` column names, `{link}` of or for,
`{inverted}` and `{plain}` a clause in question and in statement order.
"""

PLAIN = {
    "definition": "What {be} {s}?",
    "person": "Who is {s}?",
    "value": "What {be} {s}?",
    "amount": "How many {u} {do} {s} {b}?",
    "at_least": "What is the smallest number of {u} that {s} {v}?",
    "at_most": "What is the largest number of {u} that {s} {v}?",
    "object": "What {do} {s} {b}?",
    "prepositional": "What {do} {s} {b} {p}?",
    "manner": "How {be} {s} {p}?",
    "place": "Where {be} {s} {p}?",
    "moment": "When {inverted}?",
    "reason": "Why {inverted}?",
    "condition": "What happens when {c}?",
    "duty": "What must {s} do?",
    "ban": "What must {s} not do?",
    "table": "What is the {h} {link} the {k} {x}?",
    "table_verb": "What {do} the {k} {x} {b}?",
    "heading": "{inverted}?",
}

REPHRASED = {
    "definition": (
        "How would you explain {s} to somebody new?",
        "In plain words, what is meant by {s}?",
        "I keep reading about {s}; what exactly {be} {that}?",
    ),
    "person": ("Can you tell me who {s} is?", "I came across the name {s}; who is that?"),
    "value": ("Which number should I expect for {s}?", "How large {be} {s}, precisely?"),
    "amount": ("Can you tell me the number of {u} that {s} {v}?",),
    "at_least": ("At the very least, how many {u} {do} {s} {b}?",),
    "at_most": ("How many {u} {do} {s} {b} before the limit is reached?",),
    "object": (
        "What is it that {s} {v}?",
        "Could you spell out what {s} {v}?",
    ),
    "prepositional": ("Could you spell out what {s} {v} {p}?",),
    "manner": ("By what means {be} {s} {p}?", "In which way {be} {s} {p}?"),
    "place": ("In which place would I find that {s} {be} {p}?",),
    "moment": ("Under which circumstances {inverted}?", "At what point {inverted}?"),
    "reason": ("What is the reason that {plain}?", "For what purpose or cause {inverted}?"),
    "condition": ("Suppose {c}. What is the consequence?", "What should I expect as soon as {c}?"),
    "duty": ("Which obligation applies to {s}?", "What {be} {s} required to do?"),
    "ban": ("Which prohibition applies to {s}?", "What {be} {s} forbidden to do?"),
    "table": ("When it comes to the {k} {x}, which {h} is listed?",),
    "table_verb": ("Could you spell out what the {k} {x} {v}?",),
    "heading": (),
}

SYNONYMS = {
    "stops": "halts", "stores": "keeps", "stored": "kept", "changed": "altered", "computed": "calculated",
    "deleted": "removed", "checked": "verified", "shows": "displays", "needs": "requires", "need": "require",
    "begins": "starts", "largest": "highest", "smallest": "lowest", "measured": "determined", "missing": "absent",
    "gone": "no longer there", "chosen": "selected", "rejected": "turned down", "holds": "contains",
    "hold": "contain", "prints": "outputs", "fails": "does not succeed", "stands": "is found",
}  # fmt: skip

JOINED = (
    "What is the difference between {one} and {two}?",
    "How do {one} and {two} differ from each other?",
    "Compare {one} with {two}: what is each of them?",
)

DISTRACTIONS = (
    "I have just read this: “{fact}” My question is about something else, though. {question}",
    "A colleague told me: “{fact}” That aside, {question_low}",
    "{fact} Leaving that alone, {question_low}",
)

SITUATIONS = (
    "I am new in the team and was given the page “{topic}” to read. {question}",
    "I have to explain “{topic}” to a colleague this afternoon and want to get it right. {question}",
    "My manager asked me about “{topic}” and I did not know what to say. {question}",
    "We are preparing a review, and my part of it is “{topic}”. {question}",
    "I took over “{topic}” from somebody who has left. {question}",
)

DOUBLES = (
    "{one} And {two_low}",
    "I have two questions. {one} {two}",
    "{one} While we are at it, {two_low}",
)

ANNOUNCED = ("I have a question about {s}.", "I would like to know something about {s}.", "This is about {s}.")
WELCOMED = ("What would you like to know?", "Go ahead.", "How can I help you with that?")
