"""pydantic-evals over one call with OpenAI's client: it has none of its own. See `evaluating_cases.py`."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from calling import Ordered as Calls
from calls_openai import opened
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected


async def evaluated(o: Ordered, data: Dataset) -> int:
    """How many cases are right; the client is opened in here, as it belongs to one event loop."""
    async with opened(Calls(o.url, "calls", o.n, o.concurrency)) as peer:

        async def lane(text: str) -> str:
            return await peer.ask(text)

        report = await data.evaluate(lane, max_concurrency=o.concurrency, progress=False)
    return sum(bool(case.assertions["EqualsExpected"].value) for case in report.cases)


def prepared(o: Ordered) -> Evaluating:
    """Its Dataset with its equality."""
    cases = [Case(name=f"case {i}", inputs=t, expected_output=REPLY) for i, t in enumerate(questions(o.n))]
    data = Dataset(name="lanes", cases=cases, evaluators=[EqualsExpected()])
    return lambda: asyncio.run(evaluated(o, data))


if __name__ == "__main__":
    main(prepared, version("pydantic-evals"))
