"""An id is the hash of the canonical JSON of its parts, however fast it is made."""

from hypothesis import given
from hypothesis import strategies as st

from flows.core.ids import ID_CHARS, canonical_json, content_id, sha256

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
PARTS = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(), SCALARS, max_size=3)


def utf8(value: object) -> bool:
    try:
        canonical_json(value).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.lists(PARTS, max_size=5).filter(utf8))
def test_an_id_is_the_hash_of_the_canonical_json_of_its_parts(parts: list[object]) -> None:
    assert content_id(*parts) == sha256(canonical_json(parts))[:ID_CHARS]


def test_the_boundaries_of_parts_count() -> None:
    assert len({content_id("a", "b"), content_id("ab"), content_id("a,b"), content_id('a","b')}) == 4
