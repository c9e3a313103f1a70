import pytest

from flows.testset.drafts import Corpus
from flows.testset.questions import simple_questions
from flows.testset.spans import Version

SAY = "The pump is a part. The valve moves. The engine prints. A seal waits. Reports of spare valves."


def asked(statement, extra=SAY):
    text = f"# Machines\n\n{statement}\n\n{extra}\n"
    corpus = Corpus.read({"machines": ("Machines", Version("v1", text))})
    return [draft for draft in simple_questions(corpus) if draft.answer == statement]


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("The pump is the part that moves water.", "What is the pump?"),
        ("Ada Lovelace is an English mathematician and writer.", "Who is Ada Lovelace?"),
        ("Valves are the parts that stop water.", "What are valves?"),
        ("The default pressure is 4 bar.", "What is the default pressure?"),
        ("The pump needs at least 3 valves.", "What is the smallest number of valves that the pump needs?"),
        ("The engine reads at most 256 tokens of text.", "What is the largest number of tokens that the engine reads?"),
        ("The engine has 12 cylinders in two rows.", "How many cylinders does the engine have?"),
        ("The report lists the valves and the seals.", "What does the report list?"),
        ("A full seal consists of rubber and steel.", "What does a full seal consist of?"),
        ("The pressure is measured by a sensor.", "How is the pressure measured?"),
        ("Spare parts are stored in the cellar.", "Where are spare parts stored?"),
        ("The pump starts when the tank is full.", "When does the pump start?"),
        ("The engine stops because the oil is cold.", "Why does the engine stop?"),
        ("When the tank is empty, the pump stops.", "What happens when the tank is empty?"),
        ("The operator must close the valve at night.", "What must the operator do?"),
        ("The operator must not open the tank.", "What must the operator not do?"),
    ],
)
def test_each_form_of_statement_gives_its_question(statement, question):
    assert [draft.question for draft in asked(statement)] == [question]


@pytest.mark.parametrize(
    "statement",
    [
        "It is the part that moves water.",  # who is it?
        "This valve stops the water.",
        "The other pump is the bigger part.",
        "When it is empty, the pump stops.",
        "In the cellar the pump is a nuisance.",
        "The reason is a broken seal.",
        "The engine never holds water.",
        "Two pumps hold the pressure.",
        "The pump which leaks is the old part.",
        "When they’re empty, the pumps stop.",
        "When starting the pump, the valve opens.",
        "Always read the ten reports.",
        "Read the report lists at night.",
        "The report",
    ],
)
def test_a_statement_that_needs_its_neighbours_is_not_asked_about(statement):
    assert asked(statement) == []


def test_the_span_is_the_statement_and_the_quote_is_its_text(zoo, zoo_corpus):
    for draft in simple_questions(zoo_corpus):
        for span in draft.spans:
            source = zoo_corpus.by_id[span.document_id]
            assert source.version.text[span.start : span.end] == span.quote


def test_names_keep_their_capital_and_other_words_lose_it():
    extra = "A house of Prefect runs. The ingest works here."
    (prefect,) = asked("Prefect is the tool that starts flows.", extra)
    (ingest,) = asked("Ingest is the stage that reads files.", extra)
    assert (prefect.question, ingest.question) == ("What is Prefect?", "What is ingest?")


def test_a_table_cell_is_asked_for_by_its_row_and_column(zoo_corpus):
    found = {draft.question: draft.answer for draft in simple_questions(zoo_corpus) if draft.method == "table"}
    assert found["What is the effect of the plant clover?"] == "makes the shell strong and smooth"


def test_a_heading_that_asks_is_asked_and_two_sentences_answer():
    text = "# Pumps\n\n## Why pumps are oiled\n\nDry pumps break. Oil is cheap. Pumps hum.\n"
    corpus = Corpus.read({"p": ("Pumps", Version("v1", text)), "q": ("Do I need oil?", Version("v2", "Yes, you do."))})
    found = [(d.question, d.answer) for d in simple_questions(corpus) if d.method == "heading"]
    assert found == [("Why are pumps oiled?", "Dry pumps break. Oil is cheap."), ("Do I need oil?", "Yes, you do.")]


def test_code_is_not_asked_about(zoo_corpus):
    assert not [draft for draft in simple_questions(zoo_corpus) if "code block" in draft.question]


def test_every_question_ends_with_its_mark_and_begins_with_a_capital(zoo_corpus):
    for draft in simple_questions(zoo_corpus):
        assert draft.question.endswith("?")
        assert draft.question[0].isupper()
