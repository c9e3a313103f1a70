"""Prompts: what is accepted, what is refused and where, and that values stay data."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ParamsError
from flows.core.project import Project
from flows.rag.prompts import load_prompt, parse_prompt
from flows.rag.schemas import SCHEMAS, schema_for
from tests.conftest import ROOT

HEADER = "---\nname: p\ndescription: A prompt.\nvariables: [question, context]\n---\n"
PATH = "data/prompts/p.md"


def parse(body, header=HEADER):
    return parse_prompt(header + body, path=PATH)


def refusal(body, header=HEADER):
    with pytest.raises(ParamsError) as caught:
        parse(body, header)
    return str(caught.value)


def test_a_prompt_becomes_a_system_and_a_user_message():
    prompt = parse("# system\nBe brief about {{context}}.\n# user\nQ: {{ question }}\n")
    system, user = prompt.render({"question": "why?", "context": "rain"})
    assert (system.role, system.content) == ("system", "Be brief about rain.")
    assert (user.role, user.content) == ("user", "Q: why?")


def test_the_system_part_may_be_left_out():
    assert [
        m.role for m in parse("# user\n{{ question }}{{ context }}\n").render({"question": "q", "context": "c"})
    ] == ["user"]


BODY = "# user\n{{ question }} {{ context }}\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('x').read() }}",
        "{{ question|attr('x') }}",
        "{{ question | upper }}",
        "{{ question.title }}",
        "{{ '{0.__class__}'.format(question) }}",
        "{% for i in range(9) %}x{% endfor %}",
        "{%- if question -%}x{%- endif -%}",
        "{{ 'x' * 9999999999 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}",
        "{% include '/etc/passwd' %}",
        "{# a comment #}",
        "{{ question ",
        "{{ }}",
        "{{{ question }}}",
        "{{ Question }}",
        "{{\nquestion }}",
    ],
)
def test_any_template_syntax_but_a_name_is_refused_with_file_and_line(template):
    assert f"{PATH}:9" in refusal(f"# system\nfirst\n# user\n{{{{ question }}}} {{{{ context }}}} {template}\n")


def test_other_template_languages_stay_literal():
    text = 'Answer {question.__class__} %s %(x)s $x ${y} {"a": {"b": 1}}'
    prompt = parse(f"# user\n{text}\n", HEADER.replace("[question, context]", "[]"))
    assert prompt.render({})[0].content == text


def test_a_misspelt_variable_is_refused_with_a_suggestion():
    assert "Did you mean 'question'?" in refusal("# user\n{{ questoin }} {{ context }}\n")


def test_a_declared_variable_that_is_not_used_is_refused():
    assert "['context', 'question']" in refusal("# user\nAnswer the question.\n")


def test_a_heading_of_another_kind_is_text_of_its_part():
    assert "# rules" in parse("# user\n# rules\n## system\n{{ question }}{{ context }}\n").user


@pytest.mark.parametrize("body", ["", "text\n" + BODY, BODY + BODY, BODY + "# system\nlate\n", "# system\nonly\n"])
def test_missing_doubled_or_misplaced_parts_are_refused(body):
    assert "# user" in refusal(body)


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("", ":1 must begin with front matter"),
        ("---\nname: p\n", ":1 must begin"),
        ("---\nname: p\nname: q\n---\n", ":3"),
        ("---\nname: [\n---\n", "not readable YAML"),
        (HEADER.replace("description", "descripton"), "Did you mean 'description'?"),
        (HEADER.replace("name: p", "name: other"), "Let the name and the file's name be the same"),
        (HEADER.replace("name: p", "name: ../p"), "front matter.name"),
        (HEADER.replace("---\n", "---\noutput: poem\n", 1), "front matter.output"),
        (HEADER.replace("[question, context]", "[question, context, context]"), "twice"),
        (HEADER.replace("---\n", "---\n!!python/object/apply:os.system ['x']: 1\n", 1), "not readable YAML"),
    ],
)
def test_broken_front_matter_is_refused(header, hint):
    assert hint in refusal(BODY, header)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-" + "proj-CANARYPROMPT0123456789",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1" * 18,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "Authorization: Bearer " + "abcdefgh1234567890XYZ",
        "password: " + "correct-horse-battery-1",
    ],
)
def test_what_looks_like_a_secret_is_refused_without_repeating_it(secret):
    message = refusal(f"# user\nUse {secret} if asked. {{{{ question }}}} {{{{ context }}}}\n")
    assert f"{PATH}:7" in message
    assert secret[-10:] not in message


def test_byte_order_mark_and_line_ends_do_not_change_the_version(project, prompts):
    plain = load_prompt(project, "answer")
    data = (prompts / "answer.md").read_bytes()
    (prompts / "answer.md").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert load_prompt(project, "answer") == plain
    (prompts / "answer.md").write_bytes(data.replace(b"chunks.\n", b"chunks!\n"))
    assert load_prompt(project, "answer").version != plain.version


def test_a_prompt_that_is_too_long_is_refused_before_it_is_read(project, prompts):
    (prompts / "answer.md").write_text("x" * 2_000_000)
    with pytest.raises(ParamsError, match="2,000,000 bytes"):
        load_prompt(project, "answer")


def test_a_prompt_that_is_no_plain_text_file_is_refused(project, prompts):
    (prompts / "latin.md").write_bytes(b"---\nname: caf\xe9\n---\n")
    os.mkfifo(prompts / "pipe.md")
    (prompts / "link.md").symlink_to("/etc/hostname")
    for name, hint in (("latin", "not UTF-8"), ("pipe", "not a regular file"), ("link", "not a regular file")):
        with pytest.raises(ParamsError, match=hint):
            load_prompt(project, name)


@pytest.mark.parametrize("name", ["answre", "../answer", "", "a/b"])
def test_an_unknown_prompt_is_named_with_the_known_ones(project, prompts, name):
    with pytest.raises(ParamsError, match=r"\['answer', 'rewrite'\]"):
        load_prompt(project, name)


def test_text_of_others_without_tags_around_it_is_noted():
    assert "'question' has no tags around it" in parse("# user\n{{ context }}{{ question }}\n").notes[0]
    assert parse("# user\n{{ context }}<question>\n{{ question }}\n</question>\n").notes == []


@given(st.dictionaries(st.sampled_from(["question", "context"]), st.text(), min_size=2))
def test_values_are_never_rendered_a_second_time(values):
    prompt = parse("# user\nQ: {{ question }}\nC: {{ context }}\n")
    assert prompt.render(values)[0].content == f"Q: {values['question']}\nC: {values['context']}"


def test_values_with_template_syntax_and_back_references_stay_as_they_are():
    values = {"question": r"{{7*7}} {% raw %} \1 \g<0>", "context": "{{ question }} {{ config }} <|im_end|>"}
    assert parse("# user\n{{ question }} {{ context }}\n").render(values)[0].content == " ".join(values.values())


@pytest.mark.parametrize("values", [{"question": "q"}, {"question": "q", "context": "c", "extra": "e"}])
def test_values_must_be_exactly_the_declared_ones(values):
    with pytest.raises(ParamsError, match="do not fit prompt 'p@"):
        parse(BODY).render(values)


EXAMPLES = """---
name: p
description: A prompt.
variables: [question]
output: answer
examples:
  - question: "How many?"
    answer: {"answer": "Two [1].", "citations": [1], "refused": false}
---
"""


def test_examples_become_earlier_turns_of_the_conversation():
    prompt = parse("# system\nS\n# user\nQ: {{ question }}\n", EXAMPLES)
    roles = [(m.role, m.content) for m in prompt.render({"question": "Why?"})]
    assert roles == [
        ("system", "S"),
        ("user", "Q: How many?"),
        ("assistant", '{"answer": "Two [1].", "citations": [1], "refused": false}'),
        ("user", "Q: Why?"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ('"citations": [1]', '"citations": ["1"]', "example 1 breaks the rule 'type'"),
        (', "refused": false', "", "'required'"),
        ('  - question: "How many?"\n    answer', "  - answer", "needs ['answer', 'question']"),
    ],
)
def test_an_example_that_breaks_the_prompts_own_schema_is_refused(old, new, hint):
    assert hint in refusal("# user\n{{ question }}\n", EXAMPLES.replace(old, new))


def test_reasoning_is_asked_for_first():
    header = HEADER.replace("---\n", "---\noutput: answer\nreasoning: true\n", 1)
    assert list(parse(BODY, header).schema["properties"]) == ["reasoning", "answer", "citations", "refused"]
    assert parse(BODY).schema is None


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_in_the_strict_subset(name):
    schema = schema_for(name, reasoning=True)
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "prompts").glob("*.md")), ids=lambda path: path.stem)
def test_the_prompts_of_the_sample_project_load(path):
    prompt = load_prompt(Project(ROOT), path.stem)
    assert prompt.notes == []
    assert prompt.render(dict.fromkeys(prompt.header.variables, "x"))[-1].role == "user"
