"""Templates with holes: one request, typed answers in their order, and errors that name their place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asked_samples import turns
from hypothesis import given
from hypothesis import strategies as st
from upstream_faults import Ok

import suffice as sf
from suffice.errors import OutputError, UsageError
from suffice.programs.bundle import save_bundle
from suffice.programs.template import Template, template
from suffice.values import ABSTAIN
from upstream import upstream

TEXT = "Q: {question}\nThink: {thought:text(200)}\nAnswer: {answer:int}"
FILLED = {"thought": "Six times seven.", "answer": 42}


def filled(**holes: Any) -> Ok:
    return Ok(json.dumps(holes))


def asked_of(text: str, answer: Any, **inputs: Any) -> Any:
    with upstream(Ok(json.dumps(answer))) as up:
        return sf.run(template(text)(sf.Model(f"{up.url}#m", attempts=1, repairs=0), **inputs))


def test_a_template_is_one_request_with_its_holes_in_order() -> None:
    fill = template(TEXT)
    with upstream(filled(**FILLED)) as up:
        model = sf.Model(f"{up.url}#m")
        value = sf.run(fill(model, question="6 * 7?"))
        assert value == FILLED and list(value) == ["thought", "answer"]
        (asked,) = up.log.asked
        (_, instruction), (role, text) = turns(asked)
        assert (role, text) == ("user", "Q: 6 * 7?\nThink: [[thought]]\nAnswer: [[answer]]")
        assert "- thought: a text of at most 200 characters\n- answer: a whole number" in instruction
        schema = json.dumps(asked.body["response_format"])
        assert schema.index('"thought"') < schema.index('"answer"') and '"integer"' in schema
        assert fill.prompt(question="6 * 7?").endswith(text)
        reply = sf.run(fill.reply(model, question="6 * 7?"))
        assert reply.value == FILLED and reply.guarantee is not None
        with sf.using(model=model):
            assert sf.run(fill(question="6 * 7?")) == FILLED


@pytest.mark.parametrize(
    ("kind", "fits", "misfits"),
    [
        ("text", "long " * 99, 1),
        ("text(5)", "five.", "longer"),
        ("int", 3, 3.5),
        ("float", 3.5, "3.5"),
        ("bool", True, "true?"),
        ("yes|no way", "no way", "maybe"),
        ("list(text)", ["a", "b"], "a"),
        ("list(a|b)", ["a", "b"], ["c"]),
        ("list(list(int))", [[1], []], [1]),
        ("int?", None, "x"),
        ("a|b?", None, "c"),
        ("list(int?)", [1, None], ["x"]),
    ],
)
def test_a_hole_has_the_type_that_it_says(kind: str, fits: Any, misfits: Any) -> None:
    assert asked_of(f"{{q}} {{hole:{kind}}}", {"hole": fits}, q="x") == {"hole": fits}
    with pytest.raises(OutputError):
        asked_of(f"{{q}} {{hole:{kind}}}", {"hole": misfits}, q="x")


def test_an_answer_that_does_not_fit_is_repaired_as_any_output_is() -> None:
    answers = [filled(thought="x", answer="many"), filled(**FILLED)]
    with upstream(lambda asked: answers[asked.number]) as up:
        assert sf.run(template(TEXT)(f"{up.url}#m", question="?")) == FILLED
        assert len(up.log.asked) == 2


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("{q} {a:int", "line 1, column 5", "a { that nothing closes"),
        ("{q}\n a} {a:int}", "line 2, column 3", "a } that nothing opens"),
        ("{q}\n\nA: {a:integer}", "line 3, column 4", "no type 'integer'\nhint: did you mean int?"),
        ("{q} {a:text(0)}", "column 5", "no type 'text(0)'"),
        ("{q} {a:x|x}", "column 5", "no type 'x|x'"),
        ("{q} {a:x|}", "column 5", "no type 'x|'"),
        ("{q} {a:list(foo)}", "column 5", "no type 'foo'"),
        ("{q} {a:}", "column 5", "no type ''"),
        ("{a.b} {a:int}", "column 1", "'a.b' is no name"),
        ("{} {a:int}", "column 1", "is no name"),
        ("{a} {a:int}", "column 5", "a is there before"),
        ("{not} {a:int}", "column 1", "not is a word"),
        ("{q} {a:int} {a:int}", "column 13", "a is there before"),
        ("{q} {a:int} {a}", "column 13", "a is there before"),
    ],
)
def test_an_error_names_its_place_in_the_template(text: str, place: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        template(text)
    assert place in str(error.value) and said in str(error.value)


def test_what_is_no_template_or_no_input_of_it_is_refused_before_anything_is_sent() -> None:
    for text, lacks in (("{q}", "hole"), ("{a:int}", "input"), ("words", "input")):
        with pytest.raises(UsageError, match=f"has no {lacks}"):
            template(text)
    fill = template(TEXT)
    with upstream(filled(**FILLED)) as up:
        for wrong, said in (({}, "question is missing"), ({"question": "x", "thought": "y"}, "there is no thought")):
            with pytest.raises(UsageError, match=said):
                sf.run(fill(f"{up.url}#m", **wrong))
        with pytest.raises(UsageError, match="no hole 'anwser'"):
            fill.as_solution("anwser", model=f"{up.url}#m")
        assert up.log.asked == []
    with pytest.raises(UsageError, match="text of a template is a text, not 5"):
        template(5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="temprature"):
        template(TEXT, temprature=1)  # pyright: ignore[reportCallIssue]


@given(before=st.text(max_size=40), value=st.text(min_size=1, max_size=20))
def test_literal_text_and_inputs_go_in_as_they_are(before: str, value: str) -> None:
    doubled = before.replace("{", "{{").replace("}", "}}")
    text = template(f"{doubled}{{q}}{{a:int}}").prompt(q=value)
    assert text.endswith(f"[user]\n{before}{value}[[a]]")


@given(st.text(alphabet="{}:|?()abit1, \n", max_size=30))
def test_any_text_is_a_template_or_refused_with_its_reason(text: str) -> None:
    try:
        made = template(text)
    except UsageError as error:
        assert error.hint
    else:
        assert isinstance(made, Template) and made.holes and made.asked.inputs


def test_one_hole_is_the_answer_of_a_solution_that_is_saved_and_loaded(tmp_path: Any) -> None:
    fill = template(TEXT, name="sums", temperature=0.5)
    with upstream(filled(**FILLED)) as up:
        solution = fill.as_solution("answer", model=f"{up.url}#m")
        assert sf.run(solution("6 * 7?")) == 42
        assert sf.run(solution({"question": "6 * 7?"})) == 42
        assert sf.run(solution("  ")) is ABSTAIN
        loaded = sf.load(save_bundle(solution, tmp_path / "sums.suffice"))
        assert loaded.identity == solution.identity
        assert sf.run(loaded("6 * 7?")) == 42
        first, *_, last = up.log.asked
        assert first.body == last.body and last.body["temperature"] == 0.5
        whole = fill.as_solution(model=f"{up.url}#m")
        assert sf.run(whole("6 * 7?")) == FILLED and whole.identity != solution.identity


def test_a_template_is_evaluated_as_any_solution(tmp_path: Any) -> None:
    rows = [{"question": f"{i} + 1?", "sum": i + 1} for i in range(12)]

    def adds(asked: Any) -> Ok:
        number = int(asked.text.split("Q: ")[1].split()[0])
        return filled(thought="One more.", answer=number + 1)

    task = sf.Task(rows, inputs=["question"], expected="sum", kind="number")
    with upstream(adds) as up:
        solution = template(TEXT).as_solution("answer", model=f"{up.url}#m")
        report = sf.run(sf.evaluate(task, solution, store=tmp_path))
    assert report.failures == ()


@pytest.mark.parametrize("name", ["model", "inputs", "items", "copy", "for", "range", "loop", "x1", "größe"])
def test_a_name_is_an_input_or_hole_whatever_it_means_elsewhere(name: str) -> None:
    assert template(f"{{{name}}} {{a:int}}").prompt(**{name: "VALUE"}).endswith("VALUE [[a]]")
    assert asked_of(f"{{q}} {{{name}:int}}", {name: 1}, q="x") == {name: 1}
