"""Recorded errors come back as what they were: class, words, members of a group; never by importing anything."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import pytest

from suffice.errors import CallError, NotDone, ServerError, SolutionError, UsageError
from suffice.programs.place import keep_place
from suffice.programs.solution import describe
from suffice.store.effect_errors import error_json, error_of_json, says_not_done


class Closed(OSError):
    """Whose words are not what it is made of."""

    def __init__(self, account: int) -> None:
        super().__init__(f"account {account} is closed")


class Overdrawn(SolutionError):
    """One of ours, with words and a hint of its own."""

    def __init__(self, account: int) -> None:
        super().__init__(f"account {account} is overdrawn", hint="pay in", where="bank:7")


class Several(ExceptionGroup[Exception]):
    """A group of the user's."""


class Bank:
    """Where a class lies in another."""

    class Shut(ConnectionError):
        """By its own name it would not be found."""


def again(error: Exception, *gone: str) -> Any:
    """What comes back after it went through the store, where what `gone` names is not loaded."""
    told = json.loads(json.dumps(error_json(error)))

    def forget(one: Any) -> None:
        one["kinds"] = [["no_such_module", n] if n in gone else [m, n] for m, n in one["kinds"]]
        for member in one.get("members", ()):
            forget(member)

    forget(told)
    return error_of_json(told)


def raised(call: Any) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    keep_place(caught.value)
    return caught.value


def missing() -> Exception:
    return raised(lambda: open("no-such-file.txt"))


@pytest.mark.parametrize(
    "error",
    [
        KeyError("total"),
        Closed(17),
        Bank.Shut("for today"),
        Overdrawn(17),
        missing(),
        UsageError("wrong", hint="right", where="a.csv:3"),
        ServerError("overloaded", status=503),
        NotDone("later"),
        json.JSONDecodeError("bad", "doc", 0),
        ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
        Several("several", [ValueError("one")]),
    ],
    ids=repr,
)
def test_an_error_comes_back_of_its_class_and_with_its_words(error: Exception) -> None:
    back = again(error)
    assert type(back) is type(error)
    assert (str(back), describe(back)) == (str(error), describe(error))


@pytest.mark.parametrize("error", [raised(lambda: b"\xff".decode()), KeyError((1, 2))], ids=repr)
def test_one_whose_class_wants_more_than_is_recorded_still_is_caught_and_says_the_same(error: Exception) -> None:
    back = again(error)
    assert isinstance(back, type(error)) and describe(back) == describe(error)


def test_a_group_comes_back_with_its_members_however_deep() -> None:
    inner = ExceptionGroup("inner", [Closed(17), KeyError("k")])
    back = again(ExceptionGroup("outer", [ValueError("v"), inner]), "Closed")
    assert type(back) is ExceptionGroup and back.message == "outer"
    first, second = back.exceptions
    assert repr(first) == "ValueError('v')" and type(second) is ExceptionGroup
    seen: list[str] = []
    try:
        raise back
    except* OSError as group:
        seen += [str(one) for one in group.exceptions[0].exceptions]
    except* (ValueError, KeyError):
        pass
    assert seen == ["account 17 is closed"]


def test_a_class_that_is_not_loaded_is_caught_by_the_nearest_of_its_bases_that_is() -> None:
    back = again(Closed(17), "Closed")
    assert isinstance(back, OSError) and not isinstance(back, Closed)
    assert describe(back) == "Closed: account 17 is closed" == describe(Closed(17))
    shut = again(Bank.Shut("for today"), "Bank.Shut", "ConnectionError")
    assert isinstance(shut, OSError) and not isinstance(shut, ConnectionError) and repr(shut) == "Shut('for today')"
    ours = again(Overdrawn(17), "Overdrawn")
    assert isinstance(ours, SolutionError) and (ours.hint, ours.where) == ("pay in", "bank:7")
    assert str(ours) == str(Overdrawn(17)) and describe(ours, hint=False) == describe(Overdrawn(17), hint=False)
    group = again(Several("several", [ValueError("one")]), "Several")
    assert isinstance(group, ExceptionGroup) and str(group) == "several (1 sub-exception)"


def test_one_that_was_made_for_a_replay_is_recorded_as_what_it_stands_for() -> None:
    told = error_json(Closed(17))
    told["kinds"][0] = ["no_such_module", "Closed"]
    over = error_json(error_of_json(told))
    assert over["kinds"] == [["no_such_module", "Closed"], ["builtins", "OSError"]]
    assert over["message"] == "account 17 is closed"


def test_one_of_which_nothing_is_loaded_is_no_error_that_it_was_not() -> None:
    class Alone(Exception):
        pass

    back = again(Alone("here"))
    assert type(back).__mro__[1] is Exception and describe(back) == "Alone: here"


def test_a_class_is_looked_up_and_no_module_is_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = ModuleType("lazy_bank")
    asked: list[str] = []
    lazy.__dict__["__getattr__"] = lambda name: asked.append(name)  # as packages do that import when they are asked
    monkeypatch.setitem(sys.modules, "lazy_bank", lazy)
    told = error_json(Closed(17))
    told["kinds"][0] = ["lazy_bank", "Closed"]
    assert isinstance(error_of_json(told), OSError) and asked == []
    told["kinds"] = [["antigravity", "Closed"], ["builtins", "list"], ["os", "system"], ["builtins", "OSError"]]
    assert isinstance(error_of_json(told), OSError) and "antigravity" not in sys.modules


def test_what_an_older_version_recorded_is_still_read() -> None:
    old: dict[str, Any] = {"type": "KeyError", "message": "'total'", "hint": None, "module": "builtins"}
    assert repr(error_of_json({**old, "args": ["total"]})) == "KeyError('total')"
    gone = error_of_json({"type": "Closed", "message": "for today", "hint": None, "module": "no_such_module"})
    assert repr(gone) == "RuntimeError('Closed: for today')"
    ours = error_of_json({"type": "UsageError", "message": "wrong", "hint": "right"})
    assert type(ours) is UsageError and ours.hint == "right"
    file = {"type": "FileNotFoundError", "message": "[Errno 2] No such file: 'a'", "hint": None, "module": "builtins"}
    back = error_of_json({**file, "args": [2, "No such file"]})
    assert isinstance(back, FileNotFoundError) and str(back) == file["message"]
    assert says_not_done({"type": "NotDone", "message": "later", "hint": None, "module": "suffice.errors"})


def test_only_our_own_word_says_that_nothing_was_done() -> None:
    class Later(NotDone):
        pass

    stranger = type("NotDone", (Exception,), {"__module__": "bank"})
    assert says_not_done(error_json(Later("x"))) and says_not_done(error_json(NotDone("x")))
    assert not says_not_done(error_json(stranger("x")))
    assert not says_not_done(error_json(NotDone("x"), inside=True))


def test_an_error_that_cannot_speak_or_hints_with_an_object_is_recorded_all_the_same() -> None:
    class Mute(Exception):
        hint = object()

        def __str__(self) -> str:
            raise ValueError("no words")

    told = json.loads(json.dumps(error_json(Mute())))
    assert (told["type"], told["message"], told["hint"]) == ("Mute", "", None)
    assert isinstance(error_of_json(told), Exception)


def test_a_call_error_has_what_every_call_error_has() -> None:
    back = again(ServerError("overloaded", status=503))
    assert isinstance(back, CallError) and back.attempts == () and back.message == "overloaded"
