"""Tokens begin where the embedding model's tokenizer says, although words are remembered one by one."""

from hypothesis import example, given
from hypothesis import strategies as st

from flows.ingest.tokenizer import token_starts
from flows.provider.local.minilm import load_tokenizer

WORDS = st.sampled_from(["the", "Gate", "re-embedding", "don't", "naïve", "[SEP]", "二三", "x1", "🙂", "\t"])
TEXTS = st.lists(WORDS | st.text(max_size=6), max_size=12).flatmap(
    lambda parts: st.sampled_from([" ", "\n", "  \n"]).map(lambda gap: gap.join(parts))
)
TOKENIZER = load_tokenizer()


@given(TEXTS)
@example("a\u00a0b c\td")
@example("one\x1ctwo three")
@example("https://example.com/" + "some-words/" * 12 + "//[SEP]/na\u00efve/\u0301" + "\u4e8c/" * 3)
def test_words_cut_one_by_one_have_the_tokens_of_the_whole_text(text: str) -> None:
    whole = [start for start, _ in TOKENIZER.encode(text, add_special_tokens=False).offsets]
    assert list(token_starts(text)) == whole


def test_a_word_the_vocabulary_cannot_spell_counts_by_its_length() -> None:
    assert len(token_starts("word " + "\u2603" * 80)) > 10


def test_a_wall_without_spaces_is_cut_and_counted() -> None:
    assert len(token_starts("x" * 50_000)) >= 12_000
