"""A chain: stages in order, gates that stop or reroute, what a stage that abstains or fails does."""

from __future__ import annotations

import pytest
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.programs import workflow
from suffice.programs.solution import from_function
from suffice.programs.workflow import chain, gate
from suffice.values import ABSTAIN, Answer


async def upper(text: str) -> str:
    return text.upper()


def exclaim(text: str) -> Answer:
    return Answer(text + "!", confidence=0.7)


def never(text: str) -> str:
    raise AssertionError("this stage must not be called")


def test_each_stage_is_given_the_value_of_the_one_before_and_the_last_ones_confidence_counts():
    shout = chain(upper, exclaim)
    assert sf.run(shout("hi")) == "HI!"
    assert sf.run(shout.reply("hi")).confidence == 0.7
    assert sf.run(chain(exclaim, upper).reply("hi")) == Answer("HI!")


def test_stages_are_called_in_spans_of_their_own():
    _, root = grown(lambda: chain(upper, exclaim, name="shout")("hi"))
    assert lines(root) == ["program shout", "  stage upper", "  stage exclaim"]


def test_a_gate_that_does_not_pass_stops_the_chain_and_later_stages_are_not_called():
    short = chain(upper, gate(lambda text: len(text) < 4), never)
    value, root = grown(lambda: short("too long"))
    assert value is ABSTAIN
    assert lines(root)[0].endswith("(stopped at the gate <lambda>)") and len(lines(root)) == 3
    assert sf.run(chain(upper, gate(lambda text: False, None), never)("x")) is None
    assert sf.run(chain(upper, gate(lambda text: text == "X"), exclaim)("x")) == "X!"


def test_a_gate_by_itself_says_where_it_belongs():
    lone = gate(str.isdigit)
    for call in (lambda: lone("x"), lambda: sf.workflow.parallel({"a": lone}), lambda: from_function(lone)):
        with pytest.raises(UsageError, match=r"gate\(isdigit\) stands between two stages") as found:
            call()
        assert "chain(draft, gate(isdigit), send)" in found.value.hint


def test_a_gate_may_reroute_to_who_goes_on_with_the_value():
    assert sf.run(chain(upper, gate(lambda text: False, exclaim), never)("x")) == "X!"


def test_a_gate_before_the_first_stage_checks_the_inputs():
    assert sf.run(chain(gate(str.isdigit, "no number"), never)("x")) == "no number"


@pytest.mark.parametrize("said", [None, "no", 0])
def test_a_gate_that_says_neither_true_nor_false_is_refused(said):
    with pytest.raises(SolutionError, match="True or False"):
        sf.run(chain(upper, gate(lambda text: said), exclaim)("x"))


def test_a_stage_that_abstains_ends_the_chain():
    assert sf.run(chain(upper, lambda text: ABSTAIN, never)("x")) is ABSTAIN


def test_nothing_is_a_value_as_any_other():
    assert sf.run(chain(lambda text: None, lambda value: [value])("x")) == [None]


def test_what_a_stage_raises_is_raised_and_its_span_says_so():
    def broken(text):
        raise KeyError(text)

    error, root = grown(lambda: chain(upper, broken, never)("x"))
    assert isinstance(error, KeyError)
    assert lines(root) == ["program chain (KeyError)", "  stage upper", "  stage broken (KeyError)"]


def test_a_dict_is_bound_by_name_where_the_next_stage_has_several_parameters():
    both = chain(workflow.parallel({"a": upper, "b": len}), lambda a, b: f"{a} {b}")
    assert sf.run(both("xyz")) == "XYZ 3"
    whole = chain(workflow.parallel({"a": upper, "b": len}), lambda found: sorted(found))
    assert sf.run(whole("xyz")) == ["a", "b"]


def test_several_inputs_come_by_name():
    named = chain(lambda ticket, customer: f"{customer}: {ticket}", upper)
    assert sf.run(named(ticket="x", customer="Ada")) == "ADA: X"
    solution = named.as_solution()
    assert solution.parameters == ("ticket", "customer") == solution.required


def test_a_chain_without_a_stage_is_refused_at_once():
    with pytest.raises(UsageError, match="at least one stage"):
        chain(gate(str.isdigit))
    with pytest.raises(SolutionError, match="cannot be called"):
        chain(upper, "upper")
