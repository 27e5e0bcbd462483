"""Function calling on the questions of the Berkeley leaderboard: `python bench/bfcl.py [FOLDER]`. No model is called.

Every function becomes a tool, is encoded in both dialects and read back; every published answer is validated against
its function's schema and graded; and what the leaderboard's rules call right or wrong about a changed answer is held
against our grader.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from suffice.errors import UsageError
from suffice.evals import grade
from suffice.exchange import Message, Request
from suffice.models.dialects.anthropic_messages import ANTHROPIC
from suffice.models.dialects.dialect import Quirks
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.output.typed import output_type
from suffice.programs.tool import NAME, CallableTool, schema_tool
from suffice.values import Case

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "bfcl_questions"
PREFIX = "gorilla_openfunctions_v1_test_"
TYPES = {
    "dict": "object",
    "HashMap": "object",
    "float": "number",
    "double": "number",
    "long": "integer",
    "tuple": "array",
    "Array": "array",
    "ArrayList": "array",
    "String": "string",
    "char": "string",
    "Boolean": "boolean",
}
"""The leaderboard's own types, those of Java and JavaScript among them, as JSON schema's; "any" and "" say nothing."""
GRADER = grade.calls(alternatives=True)


@dataclass(frozen=True)
class Question:
    """A case: its functions, and the calls that are right, each with the possible values of its arguments."""

    id: str
    functions: tuple[Mapping[str, Any], ...]
    right: tuple[tuple[str, Mapping[str, Any]], ...]


def schema_of(told: Any) -> Any:
    """A leaderboard schema as JSON schema."""
    if not isinstance(told, dict):
        return told
    made = {key: value for key, value in told.items() if key != "optional"}
    kind = made.get("type")
    if isinstance(kind, str):
        made["type"] = TYPES.get(kind, kind)
        if kind in ("any", ""):
            del made["type"]
    if isinstance(made.get("properties"), dict):
        made["properties"] = {name: schema_of(one) for name, one in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = schema_of(made[key])
    return made


def questions(folder: Path) -> Iterator[Question]:
    """All cases of the folder, in order."""
    for file in sorted(folder.glob(f"{PREFIX}*.json")):
        answers = folder / "possible_answer" / file.name
        known = {row["id"]: row["ground_truth"] for row in rows(answers)} if answers.is_file() else {}
        for number, row in enumerate(rows(file)):
            given = row["function"]
            functions = tuple(given) if isinstance(given, list) else (given,) if isinstance(given, dict) else ()
            id = row.get("id", f"{file.stem.removeprefix(PREFIX)}_{number}")
            names = [function["name"] for function in functions]
            right = tuple((called(name, names), said) for name, said in known.get(id, {}).items())
            yield Question(id, functions, right)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def called(name: str, names: list[str]) -> str:
    """The function that a published answer names: of several calls they are numbered, "play_1", "play_2"; of the only
    function it need not be the name."""
    plain = name if name in names else re.sub(r"_\d+$", "", name)
    return names[0] if len(names) == 1 else plain


async def never(arguments: Mapping[str, Any]) -> Any:
    raise AssertionError("nothing is called here")


def tool_of(function: Mapping[str, Any]) -> CallableTool[..., Any]:
    return schema_tool(function["name"], function["description"], schema_of(function["parameters"]), never)


def there_and_back(tool: CallableTool[..., Any]) -> bool:
    """Whether both dialects carry the tool unchanged."""
    request = Request("m", (Message("user", "x"),), 1, (tool.offer,))
    openai = json.loads(OPENAI_CHAT.encode(request, Quirks(), False))["tools"][0]["function"]
    anthropic = json.loads(ANTHROPIC.encode(request, Quirks(), False))["tools"][0]
    told = {"name": tool.name, "description": tool.description}
    schema = dict(tool.parameters)
    return openai == {**told, "parameters": schema} and anthropic == {**told, "input_schema": schema}


def kept_whole(tool: CallableTool[..., Any]) -> bool:
    """Whether our own validation takes every word of the schema, and keeps it: as an output type, say."""
    try:
        return output_type(dict(tool.parameters)).spec_schema == tool.parameters
    except UsageError:
        return False


def first_value(possible: Any) -> Any:
    """One right value: the first of the possible ones; of an object, of each field."""
    if isinstance(possible, dict):
        return {name: first_value(one) for name, one in possible.items() if not left_out(one)}
    if not isinstance(possible, list):
        return possible
    return settled(next((value for value in possible if value != ""), ""))


def settled(value: Any) -> Any:
    """A possible value with its objects, whose fields have possible values in turn, made plain."""
    if isinstance(value, dict):
        return first_value(value)
    return [settled(one) for one in value] if isinstance(value, list) else value


def left_out(possible: Any) -> bool:
    return isinstance(possible, list) and all(one == "" for one in possible)


def answer(question: Question) -> list[dict[str, Any]]:
    """The calls with the first right value of each argument that is not always left out."""
    return [
        {"name": name, "arguments": {key: first_value(one) for key, one in possible.items() if not left_out(one)}}
        for name, possible in question.right
    ]


def expected(question: Question) -> list[dict[str, Any]]:
    return [{"name": name, "arguments": dict(possible)} for name, possible in question.right]


def graded(question: Question, said: list[dict[str, Any]]) -> bool:
    case = Case(question.id, "", expected(question), "", "", "", "")
    return GRADER(said, case).value == 1.0


def right_changes(question: Question) -> Iterator[list[dict[str, Any]]]:
    """Answers that the leaderboard's rules call right."""
    yield answer(question)[::-1]
    said = answer(question)
    for call, (_, possible) in zip(said, question.right, strict=True):
        for name, value in call["arguments"].items():
            if isinstance(value, str):
                call["arguments"][name] = f" {value.upper()}.".replace(",", "")
            if "" in possible[name]:
                call["arguments"][name] = None
        call["arguments"] = {k: v for k, v in call["arguments"].items() if v is not None}
        call["name"] = call["name"].replace(".", "_")
    yield said
    for n, (_, possible) in enumerate(question.right):
        for name, choices in possible.items():
            for one in choices if isinstance(choices, list) else ():
                if one != "":
                    other = answer(question)
                    other[n]["arguments"][name] = settled(one)
                    yield other


def wrong_changes(question: Question) -> Iterator[list[dict[str, Any]]]:
    """Answers that they call wrong."""
    said = answer(question)
    yield said[:-1]
    yield [*said, said[0]]
    for n in range(len(said)):
        renamed = copy.deepcopy(said)
        renamed[n]["name"] += "_x"
        yield renamed
        more = copy.deepcopy(said)
        more[n]["arguments"]["no such argument"] = 1
        yield more
        for name, value in said[n]["arguments"].items():
            other = copy.deepcopy(said)
            other[n]["arguments"][name] = changed(value)
            yield other
            if "" not in question.right[n][1][name]:
                less = copy.deepcopy(said)
                del less[n]["arguments"][name]
                yield less


def changed(value: Any) -> Any:
    """A value that is another one."""
    if isinstance(value, bool) or value is None:
        return "another"
    if isinstance(value, int | float):
        return value + 987_654
    return f"{value} and more" if isinstance(value, str) else [*value, "more"] if isinstance(value, list) else {"x": 1}


def fits(question: Question) -> bool:
    """Whether the published answer fits the schemas of its functions."""
    schemas = {function["name"]: schema_of(function["parameters"]) for function in question.functions}
    checks = (
        jsonschema.Draft202012Validator(schemas[call["name"]]).is_valid(call["arguments"]) for call in answer(question)
    )
    return all(checks)


def counts(folder: Path = FOLDER) -> Counter[str]:
    """All figures by name."""
    found: Counter[str] = Counter()
    for question in questions(folder):
        found["questions"] += 1
        for function in question.functions:
            tool = tool_of(function)
            found["functions"] += 1
            found["functions named as models take it"] += NAME.fullmatch(tool.name) is not None
            found["functions the same in both dialects"] += there_and_back(tool)
            found["functions validated here to the last word"] += kept_whole(tool)
        if not question.right:
            continue
        if not all(isinstance(possible, dict) for _, possible in question.right):
            found["answers that are no calls, left out"] += 1
            continue
        found["answers"] += 1
        found["answers that fit their schema"] += fits(question)
        found["answers graded right"] += graded(question, answer(question))
        for said in right_changes(question):
            found["changed and still right"] += 1
            found["changed and still right, graded right"] += graded(question, said)
        for said in wrong_changes(question):
            found["changed and wrong"] += 1
            found["changed and wrong, graded wrong"] += not graded(question, said)
    return found


if __name__ == "__main__":
    for name, number in counts(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER).items():
        print(f"{number:>7,}  {name}")
