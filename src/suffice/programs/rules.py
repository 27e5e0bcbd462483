"""The `rules` solution: an ordered list of "if … then …", kept as a text that a person reads and edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suffice.errors import BundleError, SolutionError
from suffice.programs.conditions import GRAMMAR, Check, all_hold, read_checks, seen
from suffice.programs.rule_line import MAX_FILE, RuleLine, quoted, rule_lines
from suffice.programs.solution import Form, Solution
from suffice.programs.text_solution import text_solution
from suffice.values import ABSTAIN, Answer, Json, content_hash, from_json, to_json

KIND: Final = "rules"
FROM: Final = "precision of the rule that fired, out of fold"
"""Where the confidence of learned rules comes from."""

STATED: Final = "as the file of rules says"
"""And that of rules that somebody wrote."""

HEAD: Final = f"""\
# Rules, tried from the top: the first whose condition holds answers. Edit them as you like, then decide again:
# suffice climb TASK rules:THIS-FILE
{GRAMMAR}"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; without checks it is the last one, "otherwise". `note` is a comment."""

    checks: tuple[Check, ...]
    answer: Json  # ABSTAIN: it hands on
    confidence: float | None = None
    note: str = ""

    def __str__(self) -> str:
        then = "abstain" if self.answer is ABSTAIN else quoted(to_json(self.answer))
        head = f"if {' and '.join(map(str, self.checks))} then" if self.checks else "otherwise"
        sure = "" if self.confidence is None else f" ({self.confidence:g})"
        return f"{head} {then}{sure}" + (f"  # {self.note}" if self.note else "")


def answer_of(rules: Sequence[Rule], text: str) -> Answer:
    """What the first rule that fires says; ABSTAIN where none does."""
    at = seen(text)
    for rule in rules:
        if all_hold(rule.checks, at):
            return Answer(rule.answer, rule.confidence)
    return Answer(ABSTAIN)


def rules_text(rules: Sequence[Rule]) -> str:
    """The rules as a text, with a head that explains it."""
    return HEAD + "\n" + "".join(f"{rule}\n" for rule in rules)


def read_rules(text: str, name: str) -> tuple[Rule, ...]:
    """The rules of a text. Raises SolutionError with file and line where one is not understood."""
    rules: list[Rule] = []
    for line in rule_lines(text, name):
        if rules and not rules[-1].checks:
            raise line.fault("nothing comes after otherwise", "put this rule above it")
        rules.append(_rule(line))
    if not rules:
        raise SolutionError("there is no rule in it", hint='if "gift card" then "giftcards" (0.9)', where=name)
    return tuple(rules)


def read_rules_file(path: str | Path) -> str:
    """The text of a file of rules. Raises SolutionError where it cannot be read."""
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
        if len(data) > MAX_FILE:
            raise SolutionError(f"takes {len(data):,} bytes; rules take {MAX_FILE:,} at most", where=str(file))
        return data.decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SolutionError(
            f"cannot be read: {reason}", hint="rules:FILE names a file of rules", where=str(file)
        ) from None
    except UnicodeDecodeError:
        raise SolutionError("is not UTF-8 text", hint="save it as UTF-8", where=str(file)) from None


def rules_solution(
    name: str, text: str, columns: Sequence[str] = (), file: str = "rules.txt", *, sure: str = STATED
) -> Solution:
    """The rules in `text` as a solution over a bare value or a dict with these input columns.

    `file` names the text in messages; `sure` is where its confidences come from. Raises SolutionError
    where a line is not understood.
    """
    rules = read_rules(text, file)

    def read(texts: Sequence[str]) -> list[Answer]:
        return [answer_of(rules, text) for text in texts]

    said = [[[str(c) for c in r.checks], to_json(r.answer), r.confidence] for r in rules]
    form = Form(KIND, {"name": name, "columns": list(columns), "sure": sure}, text=text)
    identity = content_hash([KIND, list(columns), said])
    confident = all(r.confidence is not None or r.answer is ABSTAIN for r in rules)
    return text_solution(name, read, columns, form, identity, confident=confident, confidence_from=sure)


def from_form(form: Form) -> Solution:
    """The solution that a form describes. Raises BundleError where its text is missing or not understood."""
    if form.text is None:
        raise BundleError("the text of its rules is missing", hint="save the decision again")
    try:
        columns, sure = [str(c) for c in form.data["columns"]], str(form.data["sure"])
        return rules_solution(str(form.data["name"]), form.text, columns, form.file or "rules.txt", sure=sure)
    except SolutionError as error:
        raise BundleError(error.message, hint=error.hint, where=error.where) from None


def _rule(line: RuleLine) -> Rule:
    checks: tuple[Check, ...] = ()
    if line.takes("if"):
        checks = read_checks(line)
        if not line.takes("then"):
            raise line.fault(f"here and or then is missing: {line.rest()}", 'if "gift card" then "giftcards" (0.9)')
    elif not line.takes("otherwise"):
        raise line.fault(f"a rule begins with if or otherwise, not with {line.rest()}", 'if "…" then "…" (0.9)')
    answer = ABSTAIN if line.takes("abstain") else from_json(line.value())
    sure = line.confidence()
    line.end()
    return Rule(checks, answer, sure)
