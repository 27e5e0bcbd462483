"""Our grader of calls beside the leaderboard's own checker: `python bench/peers/bfcl_checker.py SITE [FOLDER]`.

SITE is a folder with the package bfcl-eval (`pip download --no-deps bfcl-eval`, unpacked); of it only the checker is
imported, not the model clients. Python's and SQL's questions; their published answers, changed in all ways of
`bench/bfcl.py` and in ten at random.
"""

from __future__ import annotations

import copy
import random
import sys
import types
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import bfcl

RANDOM = 10
OTHERS: tuple[Any, ...] = (True, 0, 1, 1.5, "", "x", [], ["a"], {"a": 1}, None)


class _Dotted:
    underscore_to_dot = False


def checker(site: Path) -> Any:
    """The leaderboard's `ast_checker`, without the model configurations that it looks a name up in."""
    sys.path.insert(0, str(site))
    models: Any = types.ModuleType("bfcl_eval.constants.model_config")
    models.MODEL_CONFIG_MAPPING = defaultdict(lambda: _Dotted)
    sys.modules[models.__name__] = models
    from bfcl_eval.constants.enums import Language  # type: ignore[import-not-found]
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker  # type: ignore[import-not-found]

    def valid(question: bfcl.Question, said: list[dict[str, Any]]) -> bool:
        names = {f["name"].replace(".", "_"): f["name"] for f in question.functions}
        several = len(question.right) > 1 or question.id.startswith("parallel")
        category = "parallel" if several else "multiple" if len(question.functions) > 1 else "simple"
        told = [{names.get(c["name"].replace(".", "_"), c["name"]): c["arguments"]} for c in copy.deepcopy(said)]
        right = [{name: dict(possible)} for name, possible in question.right]
        return ast_checker(list(question.functions), told, right, Language.PYTHON, category, "any")["valid"]

    return valid


def answers(question: bfcl.Question, rng: random.Random) -> Iterator[list[dict[str, Any]]]:
    """The published answer, and what is made of it."""
    plain = bfcl.answer(question)
    yield plain
    yield from bfcl.right_changes(question)
    yield from bfcl.wrong_changes(question)
    pool = [*(value for call in plain for value in call["arguments"].values()), *OTHERS]
    for _ in range(RANDOM):
        made = copy.deepcopy(plain)
        arguments = rng.choice(made)["arguments"]
        if arguments:
            arguments[rng.choice(list(arguments))] = copy.deepcopy(rng.choice(pool))
            yield made


def main(site: Path, folder: Path) -> None:
    """Print how often both say the same."""
    valid, rng = checker(site), random.Random(0)
    found: Counter[str] = Counter()
    for question in bfcl.questions(folder):
        calls = all(isinstance(possible, dict) for _, possible in question.right)
        if not question.right or not calls or question.id.startswith("java"):
            continue
        sound = valid(question, bfcl.answer(question))
        for said in answers(question, rng):
            theirs, ours = valid(question, said), bfcl.graded(question, said)
            found["answers"] += 1
            found["both right"] += theirs and ours
            found["both wrong"] += not theirs and not ours
            found["differ where the checker refuses the published answer itself"] += theirs != ours and not sound
            found["differ otherwise"] += theirs != ours and sound
    for name, number in found.items():
        print(f"{number:>7,}  {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else bfcl.FOLDER)
