"""The decision log: every altered line is found, and named."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import IntegrityError
from flows.release.decisions import GENESIS, DecisionLog, decisions_path, read_decisions, seal, verify_chain
from flows.release.states import in_production, pointer_for, production_stack, roll_back_of


def chain(*steps):
    found = []
    for action, release_id in steps:
        values = {
            "at": "2026-11-01T00:00:00+00:00",
            "actor": "ada",
            "why": "a test\u2028",
            "commit": None,
            "evidence": {},
        }
        found.append(seal(found[-1] if found else None, action=action, release_id=release_id, **values))
    return found


STEPS = st.lists(st.tuples(st.sampled_from(["register", "promote", "refuse", "roll_back"]), st.sampled_from("abc")))


def lines(decisions):
    return [decision.line().removesuffix("\n") for decision in decisions]


def broken_line(altered):
    with pytest.raises(IntegrityError) as caught:
        verify_chain(altered)
    return int(str(caught.value).split("line ")[1].split()[0])


@given(STEPS)
def test_an_untouched_log_verifies(steps):
    decisions = chain(*steps)
    assert verify_chain(lines(decisions)) == decisions


@given(STEPS.filter(bool), st.data())
def test_any_changed_character_is_found_in_its_line(steps, data):
    found = lines(chain(*steps))
    number = data.draw(st.integers(0, len(found) - 1))
    place = data.draw(st.integers(0, len(found[number]) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda c: c != found[number][place]))
    altered = found[number][:place] + character + found[number][place + 1 :]
    assert broken_line([*found[:number], altered, *found[number + 1 :]]) == number + 1


@given(STEPS.filter(lambda steps: len(steps) > 1), st.data())
def test_a_removed_line_is_found_where_it_stood(steps, data):
    found = lines(chain(*steps))
    number = data.draw(st.integers(0, len(found) - 2))
    assert broken_line(found[:number] + found[number + 1 :]) == number + 1


def test_swapped_doubled_added_and_reformatted_lines_are_found():
    first, second = lines(chain(("register", "a"), ("promote", "a")))
    assert broken_line([second, first]) == 1
    assert broken_line([first, first, second]) == 2
    assert broken_line([first, second, second]) == 3
    assert broken_line([first, json.dumps(json.loads(second))]) == 2
    assert broken_line([first, ""]) == 2
    assert broken_line(["[]"]) == 1


def test_a_line_rewritten_with_its_own_hash_is_found_by_the_next():
    first, second = chain(("register", "a"), ("promote", "a"))
    values = {"at": first.at, "actor": "eve", "why": first.why, "commit": None, "evidence": {}}
    forged = seal(None, action="register", release_id="a", **values)
    assert broken_line(lines([forged, second])) == 2


def test_an_unknown_action_is_refused():
    assert broken_line(lines([replace(chain(("promote", "a"))[0], action="force")])) == 1


def test_the_log_on_disk_grows_by_one_line_per_decision(project, now):
    log = DecisionLog(project, actor="ada", commit="abc", clock=lambda: now)
    log.append("register", "a", why="line\nbreak \u2028", evidence={"f": "0"})
    log.append("promote", "a", why="passed", evidence={})
    first, second = read_decisions(project)
    assert (first.seq, first.prev_hash, first.why, first.commit) == (1, GENESIS, "line\nbreak \u2028", "abc")
    assert (second.seq, second.prev_hash) == (2, first.hash)
    assert first.at == "2026-11-01T12:00:00.000+00:00"
    assert decisions_path(project).read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\xff\xfe\n"])
def test_a_log_that_was_emptied_or_garbled_is_not_an_empty_log(project, content):
    path = decisions_path(project)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="line 1"):
        read_decisions(project)


@given(STEPS)
def test_the_pointer_never_names_what_was_not_promoted(steps):
    decisions = chain(*steps)
    pointer = pointer_for(decisions)
    promoted = {item.release_id for item in decisions if item.action == "promote"}
    assert (pointer is None) == (production_stack(decisions) == [])
    if pointer:
        assert pointer["release_id"] in promoted
        assert pointer["previous"] != pointer["release_id"]
        assert pointer["decision"] in {item.hash for item in decisions}


def test_a_release_that_returned_to_production_is_no_longer_rolled_back():
    back = [("promote", "a"), ("promote", "b"), ("roll_back", "a")]
    assert roll_back_of(chain(*back), "b").seq == 3
    assert roll_back_of(chain(*back), "a") is None
    assert roll_back_of(chain(*back, ("promote", "b")), "b") is None
    assert in_production(chain(*back)) == "a"
