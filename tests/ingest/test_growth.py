"""Every step over a text is linear in its length, whatever the text repeats (docs/decisions/0006-plain-text.md).

Processor time of one text is held against that of a text four times as long: linear work takes four
times, quadratic work sixteen. What looks too slow is taken again, as machines are busy.
"""

import contextlib
import time

import pytest

from flows.ingest.drafts import Rejected
from flows.ingest.params import IngestParams
from flows.ingest.parsing import Limits, parse
from flows.ingest.refine import Handling, refine_file
from flows.ingest.sniff import MARKDOWN
from flows.ingest.tokenizer import token_starts

PARAMS = IngestParams()
LIMITS, HANDLING = Limits.of(PARAMS, None), Handling(PARAMS, token_starts)
CHARS, FACTOR, GROWTH_MAX, FREE_S = 3_000, 4, 8.0, 0.08
UNITS = [
    *"aA19 .,-_/@:+#>*[](){}<>|\"'`~=!?\n\t$%&;", "\u00e9", "\u4e2d", "\u3042", "a@", "a@b.", "1 ", "1-", "1.", "1:",
    "a:", "a.", "a ", "a-", "http://", "//a:b@", "sk-", "eyJ", "data:a/b;", "+1 ", "(1", "12 Main ", "born on ",
    "ignore ", "you are ", "your ", "\x1b]", "\x1b[0;", "\u0301", "\u200b", "\u202e", "\U000e0041", "\U0001f468\u200d",
    "> ", "![", "![a](", "<|", "```\n", "|a", "| a |\n", "- ", "1. ", "# ", "# a\n", " \n", "a\n", "a\n\n", "\n\n\n",
    "a\n===\n", "---\n", "key: v\n", "DE89 ", "4111-", "0:", "::", "1.1.1.", "dob ", "1/1/", "PO Box ", "ignore all ",
    "reveal ", "act as ", "QUJD", "Mr. ", "...", ". ", "-----BEGIN ", "\nuser: ", '{"score" ', "without a ",
    "you must ",
]  # fmt: skip
FRAMES = {"alone": ("", ""), "in a heading": ("# ", "x" * 400)}


def cost_s(text):
    begun = time.process_time()
    with contextlib.suppress(Rejected):
        refine_file(parse(text.encode(), MARKDOWN, LIMITS), "public", "0" * 64, HANDLING)
    return time.process_time() - begun


def grows_too_fast(unit, before, after):
    short, long = (f"Words.\n{before}{unit * (chars // len(unit))}{after}" for chars in (CHARS, CHARS * FACTOR))
    spent = cost_s(short)
    if spent > 1:  # the long one would never end
        return True
    return all(cost_s(long) > max(FREE_S, GROWTH_MAX * spent) for _ in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("frame", FRAMES)
def test_no_pattern_makes_a_step_quadratic(frame):
    cost_s("Words that load the tokenizer and the tables, \u00e9.")
    assert [unit for unit in UNITS if grows_too_fast(unit, *FRAMES[frame])] == []


def test_a_heading_of_spaces_costs_nothing():
    """This line of 4,000 characters once took the main process a quarter of a minute."""
    parsed = parse(("# " + " " * 4000 + "x" * 400).encode(), MARKDOWN, LIMITS)
    assert parsed.texts[0].title == ""


def test_a_text_beyond_the_limit_is_refused_before_it_is_judged():
    handling = Handling(IngestParams(text_chars_max=1000), token_starts)
    made = refine_file(parse(b"word " * 300, MARKDOWN, LIMITS), "public", "0" * 64, handling)
    assert [(item.code, item.rule) for item in made.rejections] == [("too_large", "text_chars_max")]
