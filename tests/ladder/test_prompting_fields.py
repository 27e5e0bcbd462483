"""Prompts of tasks whose answers are records, lists or numbers: the type is that of the expected values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from climb_samples import climbed, states
from upstream_faults import Asked, Fault, Ok

import suffice as sf
from suffice.evals.answer_schema import schema_of
from suffice.ladder import prompting, rung
from suffice.models.output.typed import output_type
from suffice.programs.prompt import messages, shown
from suffice.programs.step_solution import named
from upstream import Upstream, upstream


def order(i: int) -> dict[str, Any]:
    """What order number `i` holds; some have no note."""
    items = [{"name": f"item{j}", "price": j + 0.5} for j in range(i % 3)]
    return {"number": i, "customer": f"c{i % 7}", "note": None if i % 2 else "gift", "items": items}


def text_of(i: int) -> str:
    return f"Order {i}."


def task_of(expected: Any, **options: Any) -> sf.Task:
    """30 train, 40 dev and 120 test cases; `expected(i)` is what order i should give."""
    splits = ["train"] * 30 + ["dev"] * 40 + ["test"] * 120
    rows = [{"order": text_of(i), "answer": expected(i), "split": s} for i, s in enumerate(splits)]
    return sf.Task(rows, inputs=["order"], expected="answer", bar=0.8, **options)


def knowing(expected: Any, forms: list[Any]) -> Any:
    """An upstream that answers every order rightly, in the form that was asked for, and keeps what forms those were."""

    def script(asked: Asked) -> Fault:
        said = asked.said.get("response_format") or {}
        forms.append(said.get("json_schema", {}).get("schema"))
        number = int(re.findall(r"Order (\d+)\.", asked.text)[-1])
        value = expected(number)
        return Ok(json.dumps(value if isinstance(value, dict) else {"answer": value}))

    return script


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def asked_of(task: sf.Task) -> tuple[str, Any]:
    with sf.using(model="http://127.0.0.1:1/v1#m"):
        asking = prompting.asking_for(task, "prompt")
    turns = messages(asking.prompt, named(task.dev[0].inputs, task.columns.inputs))
    return shown(turns), asking.typed.spec_schema


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "fields": (order, {}),
    "lists": (lambda i: [f"tag{j}" for j in range(i % 4)], {"grader": "list_f1"}),
    "numbers": (lambda i: i * 1.5, {}),
    "fields in texts": (lambda i: json.dumps({"number": i}), {}),
}


@pytest.mark.parametrize("what", CASES)
def test_a_climb_proposes_prompts_that_ask_for_the_type_of_the_task_and_pass(what: str, tmp_path: Path) -> None:
    expected, options = CASES[what]
    task = task_of(expected, **options)
    forms: list[Any] = []

    def truth(i: int) -> Any:
        value = expected(i)
        return json.loads(value) if isinstance(value, str) else value

    with upstream(knowing(truth, forms)) as up, sf.using(model=on(up)):
        assert {"prompt", "examples"} <= {r.name for r in rung.proposed(task)}
        decision = climbed(task, ["prompt", "examples"], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "prompt"
        assert states(decision)["prompt"] == "PASS"
        saved = sf.load(decision.save(tmp_path / "orders.suffice"))
        assert sf.run(saved(text_of(5))) == truth(5)
    assert forms and all(form is not None for form in forms)


def test_examples_stand_there_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    task = task_of(order)
    asked: list[Asked] = []
    answering = knowing(order, [])

    def script(asking: Asked) -> Fault:
        asked.append(asking)
        return answering(asking)

    with upstream(script) as up:
        climbed(task, ["examples"], tmp_path, model=on(up))
    turns = [m["content"] for m in asked[-1].body["messages"] if m["role"] == "assistant"]
    assert turns and all(set(json.loads(t)) == {"number", "customer", "note", "items"} for t in turns)


def test_the_prompt_of_records_names_the_fields_and_the_schema_their_types() -> None:
    text, schema = asked_of(task_of(order))
    assert "Its fields are number, customer, note, items.\nA field that the input says nothing of is null." in text
    fields = schema["properties"]
    assert fields["number"]["type"] == "integer" and fields["customer"]["type"] == "string"
    assert {"type": "null"} in fields["note"]["anyOf"]
    assert schema["required"] == ["number", "customer", "note", "items"] and schema["additionalProperties"] is False
    text, schema = asked_of(task_of(lambda i: [f"t{i}"]))
    assert "Answer with a list; an empty one where there is nothing." in text
    assert schema["properties"]["answer"]["items"] == {"type": "string"}


def test_fields_that_only_sealed_cases_have_are_in_no_prompt() -> None:
    text, schema = asked_of(task_of(lambda i: {"a": 1, **({"canary": "canary"} if i >= 70 else {})}))
    assert "canary" not in text + json.dumps(schema)


def test_a_task_that_shows_no_fields_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICE_MODEL", "http://127.0.0.1:1/v1#m")
    task = task_of(lambda i: {"a": 1} if i >= 70 else None, nothing=True, kind="fields")
    assert "shows what fields an answer has: bring a step" in (rung.prompt().unsuited(task) or "")


def test_where_the_expected_value_is_a_test_the_prompt_asks_for_code_and_shows_no_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUFFICE_MODEL", "http://127.0.0.1:1/v1#m")
    task = task_of(lambda i: f"assert f() == {i}", grader=sf.grade.code())
    text, schema = asked_of(task)
    assert text.startswith("[system]\nYou are given: order. Answer with Python code alone") and schema is None
    assert "answer." not in text
    assert "no example of an answer" in (rung.examples().unsuited(task) or "")
    assert rung.prompt().unsuited(task) is None


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer"}),
        ([1, 2.5], {"type": "number"}),
        ([True, None], {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        ([1, "a"], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ([[], ["a"]], {"type": "array", "items": {"type": "string"}}),
        ([{f"k{i}": 1} for i in range(200)], {"type": "object", "additionalProperties": {"type": "integer"}}),
        ([], {}),
    ],
)
def test_the_schema_is_what_the_values_have_in_common(values: list[Any], schema: Any) -> None:
    assert schema_of(values) == schema


def test_a_schema_of_anything_makes_a_type() -> None:
    from suffice.models.output.from_schema import type_of_schema

    odd: list[Any] = [{"a": [1, {"b": []}], "c-d": {}}, {"a": None}, [1], "x", None, {"class": {"a": {"a": {}}}}]
    assert output_type(type_of_schema(schema_of(odd), wrapped=False, name="Answer")).spec_schema
