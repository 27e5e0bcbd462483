"""Steps: typed functions whose body is a model call, against a real local upstream."""

from __future__ import annotations

import asyncio
import enum
import inspect
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from asked_samples import Team, knows, reply_to, said, team_of, triage, turns
from program_samples import Write
from pydantic import BaseModel, Field
from upstream_faults import Ok, Status

import suffice as sf
from suffice.errors import BudgetError, BundleError, NoModel, OutputError, SolutionError, UsageError
from suffice.programs.bundle import save_bundle
from suffice.programs.solution import from_function
from suffice.programs.step_solution import load_step
from upstream import Upstream, upstream

ROWS = [
    {"ticket": f"the {word} number {i}", "team": team_of(word)}
    for i in range(60)
    for word in ("invoice", "parcel", "broken")
]


class Order(BaseModel):
    zip: str
    amount: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@sf.step
async def order(text: str) -> Order:
    """What was ordered?"""
    ...


@sf.step
async def colour(text: str) -> Colour:
    """Which colour?"""
    ...


@sf.step
async def title(text: str) -> str:
    """A title for this text."""
    ...


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def test_a_step_asks_what_its_docstring_says_and_answers_in_its_type():
    with upstream(knows) as up:
        step = triage.using(model=on(up))
        assert sf.run(step("where is my parcel?")) == "shipping"
        assert sf.run(step("how is the weather?")) is None
        asked = up.log.asked[0]
        assert turns(asked) == [
            ("system", "Which team should handle this ticket? Answer None if no team fits."),
            ("user", "where is my parcel?"),
        ]
        schema = asked.body["response_format"]["json_schema"]["schema"]
        assert ["billing", "shipping", "returns"] in [f.get("enum") for f in schema["properties"]["answer"]["anyOf"]]


def test_a_reply_has_the_value_with_usage_cost_and_attempts():
    with upstream(lambda asked: Status(500) if asked.number == 0 else said("billing")) as up:
        reply = sf.run(triage.using(model=on(up)).reply("my invoice"))
        assert reply.value == "billing" and reply.usage.input_tokens == 12 and reply.cost == 0.0
        assert [a.outcome for a in reply.attempts] == ["server error", "ok"]


def test_what_a_step_would_send_is_shown_without_a_model():
    assert triage.prompt("where is my parcel?") == (
        "[system]\nWhich team should handle this ticket? Answer None if no team fits.\n\n[user]\nwhere is my parcel?"
    )


def test_wrong_arguments_are_a_type_error_before_anything_is_sent():
    with upstream() as up:
        step = reply_to.using(model=on(up))
        for wrong in (lambda: step(), lambda: step("a", "b", "c", "d"), lambda: step("a", "b", colour="red")):
            with pytest.raises(TypeError, match=r"reply_to\(\)"):
                sf.run(wrong())
        assert not up.log.served


def test_a_step_has_the_signature_of_its_function():
    assert str(inspect.signature(reply_to)) == "(ticket: 'str', customer: 'str', tone: 'str' = 'friendly') -> 'str'"


def test_several_inputs_stand_by_name_in_the_order_of_the_function_whoever_calls():
    with upstream(Ok("Dear Ada")) as up:
        step = reply_to.using(model=on(up))
        assert sf.run(step(customer="Ada", ticket="late")) == "Dear Ada"
        solution = from_function(step)
        assert sf.run(solution(customer="Ada", ticket="late")) == "Dear Ada"
        assert solution.required == ("ticket", "customer")
        first, second = up.log.asked
        assert first.body == second.body
        assert turns(first)[-1][1] == (
            "<ticket>\nlate\n</ticket>\n\n<customer>\nAda\n</customer>\n\n<tone>\nfriendly\n</tone>"
        )


def test_a_solution_that_lacks_an_input_says_which_and_asks_nothing():
    with upstream() as up, pytest.raises(UsageError, match="needs customer"):
        sf.run(from_function(reply_to.using(model=on(up)))(ticket="late"))
    assert not up.log.served


def test_a_step_with_a_default_runs_on_a_task_without_that_column(tmp_path):
    task = sf.Task(
        [{"ticket": f"t{i}", "customer": "Ada", "reply": "ok"} for i in range(30)],
        inputs=["ticket", "customer"],
        expected="reply",
        kind="text",
    )
    with upstream(Ok("ok")) as up:
        report = sf.run(sf.evaluate(task, reply_to, store=tmp_path, model=on(up)))
        assert report.score == 1.0 and report.n > 0


def test_values_that_are_no_text_are_written_as_json():
    @sf.step
    async def sums(numbers: list[int]) -> int:
        """Add them up."""
        ...

    assert sums.prompt([1, 2]).endswith("[user]\n[\n 1,\n 2\n]")
    with pytest.raises(UsageError, match="cannot be written"):
        sums.prompt([object()])  # type: ignore[list-item]


def test_examples_stand_before_the_input_as_turns_in_the_form_of_the_answer():
    step = triage.using(examples=[("the invoice", "billing"), ("hello", None)])
    with upstream(knows) as up:
        sf.run(step.using(model=on(up))("where is my parcel?"))
        assert turns(up.log.asked[0])[1:] == [
            ("user", "the invoice"),
            ("assistant", '{"answer": "billing"}'),
            ("user", "hello"),
            ("assistant", '{"answer": null}'),
            ("user", "where is my parcel?"),
        ]


def test_examples_of_an_object_and_of_a_text_stand_as_a_model_writes_them():
    assert '{"zip": "8000", "amount": 2}' in order.using(examples=[("two", Order(zip="8000", amount=2))]).prompt("x")
    assert "[assistant]\nA parcel\n" in title.using(examples=[("where is it", "A parcel")]).prompt("x")


def test_fields_are_asked_for_in_the_order_of_the_type():
    with upstream(Ok('{"zip": "8000", "amount": 2}')) as up:
        assert sf.run(order.using(model=on(up))("two")) == Order(zip="8000", amount=2)
        text = json.dumps(up.log.asked[0].body)
        assert text.index('"zip"') < text.index('"amount"')


def test_a_template_is_a_text_or_a_file(tmp_path, monkeypatch):
    text = "{% for word in ticket.split() %}- {{ word }}\n{% endfor %}"
    (tmp_path / "triage.j2").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def made(template: str | Path) -> str:
        @sf.step(template=template)
        async def words(ticket: str) -> str:
            """List."""
            ...

        return words.prompt("my parcel")

    assert {made(text), made("triage.j2"), made(tmp_path / "triage.j2")} == {
        "[system]\nList.\n\n[user]\n- my\n- parcel\n"
    }
    with pytest.raises(UsageError, match="cannot be read"):
        made(tmp_path / "triag.j2")
    with pytest.raises(UsageError, match="'triag.j2' uses no input of the step, and is no file"):
        made("triag.j2")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ tiket }} {{ ticket }}", "tiket, which is no input"),
        ("{{ ticket", "is not Jinja2"),
        ("{{ ticket.__class__.__mro__ }}", "cannot be rendered"),
        ("{{ ''.__class__ }}{{ ticket }}", "cannot be rendered"),
        ("{{ ticket.nothing }}", "cannot be rendered"),
        ("{{ ticket + 1 }}", "cannot be rendered"),
        ("{% include '/etc/passwd' %}{{ ticket }}", "cannot be rendered"),
        ("{{ config }}{{ ticket }}", "config, which is no input"),
    ],
)
def test_a_template_sees_its_inputs_and_nothing_else(template, words):
    with pytest.raises(UsageError, match=words):

        @sf.step(template=template)
        async def broken(ticket: str) -> str:
            """Say."""
            ...

        broken.prompt("x")


def test_what_is_no_step_is_refused_when_it_is_defined(user_module: Write):
    refused = {
        "def f(x: str) -> str:\n    'Say.'": "not async",
        "async def f(x: str) -> str: ...": "no docstring",
        "async def f(x: str):\n    'Say.'": "what it returns",
        "async def f(x: str) -> str:\n    'Say.'\n    return x": "code in its body",
        "async def f(x: str) -> str:\n    'Say.'\n    ...\n    print(x)": "code in its body",
        "async def f() -> str:\n    'Say.'": "it has none",
        "async def f(*x: str) -> str:\n    'Say.'": "takes any",
        "async def f(**x: str) -> str:\n    'Say.'": "takes any",
        "async def f(x: str) -> Nowhere:\n    'Say.'": "cannot be resolved",
        "async def f(x: str = object()) -> str:\n    'Say.'": "a default of the step f",
    }
    for source, words in refused.items():
        with pytest.raises(UsageError, match=words):
            user_module(f"from __future__ import annotations\nimport suffice as sf\n\n@sf.step\n{source}\n")
    module = user_module("import suffice as sf\n\n@sf.step()\nasync def f(x: str) -> str:\n    'Say.'\n")
    assert module.f.prompt("x") == "[system]\nSay.\n\n[user]\nx"


def test_an_option_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="'temprature'(.|\n)*did you mean temperature"):
        triage.using(temprature=0)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="calls no tools"):
        triage.using(tools=[])


def test_the_nearest_place_that_names_a_model_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with upstream(knows) as up:

        def model() -> str:
            sf.run(triage("parcel"))
            return up.log.asked[-1].model

        with pytest.raises(NoModel) as none:
            sf.run(triage("parcel"))
        for place in (".using(model=", "sf.using(model=", "SUFFICE_MODEL", "suffice.toml"):
            assert place in str(none.value)
        (tmp_path / "suffice.toml").write_text(f'[models]\ndefault = "{up.url}#file"\n', encoding="utf-8")
        assert model() == "file"
        monkeypatch.setenv("SUFFICE_MODEL", f"{up.url}#environment")
        assert model() == "environment"
        with sf.using(model=f"{up.url}#around"):
            assert model() == "around"
            with sf.using(model=sf.Model(f"{up.url}#inner", temperature=0.5)):
                assert model() == "inner" and up.log.asked[-1].body["temperature"] == 0.5
            sf.run(triage.using(model=f"{up.url}#own")("parcel"))
            assert up.log.asked[-1].model == "own"
            assert model() == "around"


@pytest.mark.parametrize("empty", ["", "   ", "\ufeff\n\t"])
def test_a_blank_input_reaches_no_model(empty):
    with upstream() as up:
        assert sf.run(triage.using(model=on(up))(empty)) is None
        for step in (title, order):
            with pytest.raises(UsageError, match="blank"):
                sf.run(step.using(model=on(up))(empty))
        with pytest.raises(UsageError, match="blank"):
            sf.run(reply_to.using(model=on(up))(empty, empty))  # a default is nothing that was given
        assert not up.log.served


def test_the_identity_changes_with_what_is_asked_and_with_nothing_else(user_module: Write):
    source = '''
    import suffice as sf
    from typing import Literal

    @sf.step
    async def f(text: str) -> Literal["a", "b"]:
        """Which letter?"""
        ...
    '''
    base = user_module(source).f.using(model="http://127.0.0.1:1/v1#m")

    def identity(step: Any) -> str:
        return from_function(step).identity

    def changed(old: str, new: str) -> str:
        return identity(user_module(source.replace(old, new)).f.using(model="http://127.0.0.1:1/v1#m"))

    assert changed('"""Which', '# a comment\n        """Which') == identity(base)
    assert identity(base.using(timeout=3.0)) == identity(base)  # how long one waits changes no answer
    elsewhere = sf.Model("openai:gpt-5-mini", base_url="http://127.0.0.1:1/v1")
    others = [
        changed("Which letter?", "Which letter is it?"),
        changed('"b"', '"c"'),
        changed('"a", "b"', '"b", "a"'),
        changed("text: str", "ticket: str"),
        changed("text: str", "text: str, tone: str = 'kind'"),
        *(
            identity(base.using(**options))
            for options in (
                {"model": "http://127.0.0.1:1/v1#n"},
                {"model": "openai:gpt-5-mini"},
                {"model": elsewhere},
                {"model": sf.Model("http://127.0.0.1:1/v1#m", temperature=0.3)},
                {"temperature": 0.2},
                {"system": "You are terse."},
                {"extra": {"reasoning_effort": "low"}},
                {"sample": 1},
                {"seed": 0},
                {"max_output_tokens": 10},
                {"stop": ["\n"]},
                {"examples": [("x", "a")]},
                {"examples": [("x", "b")]},
            )
        ),
    ]
    assert len({identity(base), *others}) == 1 + len(others)


LOADER = """
import asyncio, json, sys
import suffice as sf
assert "tests" not in sys.path[0]
solution = sf.load(sys.argv[1])
async def main():
    answers = [await solution(**a) if isinstance(a, dict) else await solution(a) for a in json.loads(sys.argv[2])]
    print(json.dumps({"answers": answers, "identity": solution.identity, "claim": solution.claim}))
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("step", "inputs", "answer"),
    [
        (triage.using(examples=[("the invoice", "billing")], temperature=0.1, stop=["END"]), ["a parcel"], "shipping"),
        (order.using(examples=[("two", Order(zip="8", amount=2))], system="Be exact.", seed=7), ["a", "b"], None),
        (reply_to, [{"customer": "Ada", "ticket": "late"}], None),
        (title.using(extra={"reasoning_effort": "low"}, max_output_tokens=77), ["längere Texte 漢字"], None),
        (colour, ["like blood"], "red"),
    ],
    ids=["label", "object", "several inputs", "text", "enum"],
)
def test_a_step_is_saved_and_loaded_without_its_source_and_asks_the_same_bytes(tmp_path, step, inputs, answer):
    def script(asked):
        if "response_format" not in asked.body:
            return Ok("A text")
        if '"zip"' in json.dumps(asked.body):
            return Ok('{"zip": "8000", "amount": 2}')
        return said("red" if "colour" in turns(asked)[0][1] else team_of(asked.text))

    with upstream(script) as up:
        solution = from_function(step.using(model=on(up)))
        before = [sf.run(solution(**i) if isinstance(i, dict) else solution(i)) for i in inputs]
        bundle = save_bundle(solution, tmp_path / "step.suffice")
        command = [sys.executable, "-c", LOADER, str(bundle), json.dumps(inputs)]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert told == {"answers": before, "identity": solution.identity, "claim": None}
        if answer is not None:
            assert before[0] == answer
        half = len(inputs)
        bodies = [json.dumps(a.body) for a in up.log.asked]
        assert len(bodies) == 2 * half and bodies[:half] == bodies[half:]


def test_a_step_has_a_budget_of_its_own_beside_that_of_its_model():
    whole, own = sf.Budget(calls=4), sf.Budget(calls=2)
    with upstream(knows) as up:
        model = sf.Model(f"{up.url}#m", budget=whole)
        careful = triage.using(model=model, budget=own)
        assert [sf.run(careful("my invoice")) for _ in range(2)] == ["billing"] * 2
        with pytest.raises(BudgetError, match="2 of 2 calls"):
            sf.run(careful("my invoice"))
        assert sf.run(triage.using(model=model)("my invoice")) == "billing"
    assert (own.spent.calls, own.left.calls, whole.left.calls) == (2, 0, 1)
    assert from_function(careful).identity == from_function(triage.using(model=model)).identity
    assert sf.rung.step(careful).identity == sf.rung.step(triage.using(model=sf.Model(f"{up.url}#m"))).identity
    with pytest.raises(UsageError, match="^budget is a Budget"):
        triage.using(budget=2)  # type: ignore[arg-type]


def test_another_model_for_a_bundle_drops_its_claim_and_goes_nowhere_else(tmp_path):
    with upstream(knows) as up, upstream(knows) as other:
        solution = from_function(triage.using(model=on(up)))
        bundle = save_bundle(solution, tmp_path / "step.suffice", claim={"verdict": "PASS"})
        assert sf.load(bundle, model=on(up)).claim == sf.load(bundle).claim == {"verdict": "PASS"}
        moved = sf.load(bundle, model=f"{other.url}#n")
        assert moved.claim is None and moved.identity != solution.identity
        assert sf.run(moved("my invoice")) == "billing"
        assert not up.log.served and other.log.asked[0].model == "n"


def test_a_model_at_another_url_is_pinned_with_it(tmp_path):
    with upstream(knows) as up:
        model = sf.Model("ollama:llama3", base_url=up.url)
        bundle = save_bundle(from_function(triage.using(model=model)), tmp_path / "step.suffice", claim={"a": 1})
        assert sf.run(sf.load(bundle)("my invoice")) == "billing"
        assert up.log.asked[0].model == "llama3"
        assert sf.load(bundle, model="ollama:llama3").claim is None  # which is somewhere else


def test_a_loaded_step_holds_its_answers_to_its_type(tmp_path):
    with upstream(Ok('{"zip": "8000", "amount": "two"}')) as up:
        bundle = save_bundle(from_function(order.using(model=on(up), repairs=0)), tmp_path / "step.suffice")
        with pytest.raises(OutputError, match="amount"):
            sf.run(sf.load(bundle)("two"))


def test_damaged_data_of_a_step_is_a_bundle_error(tmp_path):
    from test_bundle import rewritten

    bundle = save_bundle(from_function(triage.using(model="http://127.0.0.1:1/v1#m")), tmp_path / "step.suffice")
    damages = [
        lambda d: d.pop("model"),
        lambda d: d.update(version=99),
        lambda d: d.update(version="1"),
        lambda d: d.update(schema={"type": "object"}),
        lambda d: d.update(examples=[["x"]]),
        lambda d: d.update(reached={"nowhere": 1}),
        lambda d: d.update(options={"temprature": 1}),
        lambda d: d.update(model="nobody:m"),
    ]
    for damage in damages:
        save_bundle(from_function(triage.using(model="http://127.0.0.1:1/v1#m")), bundle)
        rewritten(bundle, lambda body, damage=damage: damage(body["solution"]["data"]))
        with pytest.raises((BundleError, UsageError)):
            sf.run(sf.load(bundle)("x"))


def test_200_threads_may_wait_for_a_step_each():
    with upstream(knows) as up:
        step, found, errors = triage.using(model=on(up)), [], []

        def work(i: int) -> None:
            try:
                found.append(sf.run(step(f"parcel {i}")))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors and found == ["shipping"] * 200 and len(up.log.served) == 200


def test_a_step_inside_a_running_loop_may_be_run_by_plain_code():
    async def outer() -> list[str | None]:
        return [sf.run(triage(f"parcel {i}")) for i in range(3)]  # plain code in a coroutine of `run` itself

    with upstream(knows) as up, sf.using(model=on(up)):
        assert sf.run(outer()) == asyncio.run(outer()) == ["shipping"] * 3


@pytest.mark.parametrize("how", ["run", "asyncio"])
def test_a_plain_function_over_steps_is_evaluated_and_asks_nothing_twice(tmp_path, how):
    def careful(ticket: str) -> Team | None:
        return sf.run(triage(ticket)) or sf.run(triage(f"once more: {ticket}"))

    task = sf.Task(ROWS, inputs=["ticket"], expected="team", kind="label")
    wait: Any = sf.run if how == "run" else asyncio.run
    with upstream(knows) as up:
        report = wait(sf.evaluate(task, careful, store=tmp_path, model=on(up), concurrency=64))
        assert report.score == 1.0 and report.n == len(up.log.served)
        again = wait(sf.evaluate(task, careful, store=tmp_path, model=on(up), fresh=False))
        assert again.score == 1.0 and len(up.log.served) == report.n


def test_a_step_that_changes_asks_only_what_is_new(tmp_path):
    task = sf.Task(ROWS, inputs=["ticket"], expected="team", kind="label")
    with upstream(knows) as up, sf.using(model=on(up)):
        n = sf.run(sf.evaluate(task, triage, store=tmp_path)).n
        # another solution, but the same requests: answered from the record of calls
        assert sf.run(sf.evaluate(task, triage.using(repairs=1), store=tmp_path)).score == 1.0
        assert n == len(up.log.served)
        sf.run(sf.evaluate(task, triage.using(temperature=0.5), store=tmp_path))
        assert len(up.log.served) == 2 * n
        sf.run(sf.evaluate(task, triage, store=tmp_path, fresh=True))
        assert len(up.log.served) == 3 * n


def test_answers_of_any_type_are_json_once_a_step_is_a_solution(tmp_path):
    task = sf.Task([{"text": f"t{i}", "colour": "red"} for i in range(40)], expected="colour", kind="label")
    with upstream(lambda asked: said("red")) as up:
        assert sf.run(colour.using(model=on(up))("x")) is Colour.RED
        report = sf.run(sf.evaluate(task, colour, store=tmp_path, model=on(up)))
        assert report.score == 1.0 and report.n > 0


def test_a_step_in_a_module_imports_no_training_code():
    program = (
        "import sys, suffice as sf\n"
        "@sf.step\nasync def f(x: str) -> str:\n    'Say.'\n"
        "f.using(model='http://127.0.0.1:1/v1#m').prompt('x')\n"
        "assert not {'sklearn', 'pandas', 'torch'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False).returncode == 0


def test_inputs_that_do_not_fit_a_step_are_refused_before_the_first_call(tmp_path):
    rows = [{"ticket": "a", "body": "b", "team": "billing"}] * 9
    task = sf.Task(
        [r | {"ticket": f"{i}"} for i, r in enumerate(rows)], inputs=["ticket", "body"], expected="team", kind="label"
    )
    with upstream() as up, pytest.raises(SolutionError, match="it needs customer(.|\n)*no parameter for body"):
        sf.run(sf.evaluate(task, reply_to, store=tmp_path, model=on(up), split="train"))
    assert not up.log.served


class Tree(BaseModel):
    n: int
    left: Tree | None = None
    right: Tree | None = None


@sf.step
async def word(text: str) -> Annotated[str, Field(description="one word")]:
    """Name it."""
    ...


@sf.step
async def tree(text: str) -> Tree:
    """Draw it."""
    ...


@pytest.mark.parametrize(
    ("step", "text", "answer"),
    [
        (word, '{"answer": "tea"}', "tea"),
        (tree, '{"n": 1, "left": {"n": 2}}', {"n": 1, "left": {"n": 2}}),
    ],
    ids=["a described text", "a type that holds itself twice"],
)
def test_a_step_is_loaded_with_the_type_that_it_was_saved_with(step: Any, text: str, answer: Any) -> None:
    with upstream(Ok(text)) as up:
        form = step.using(model=on(up)).as_solution().form
        assert form is not None
        assert sf.run(load_step(form).ask("x")).value == answer
