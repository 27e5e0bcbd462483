"""One program, sent to an OpenTelemetry viewer: what `suffice trace` prints is to be seen there, too.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:6006 python bench/viewer.py [--model gpt-4o-mini]

Needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http. The program is a durable run: branches side by side,
one of which fails and one of which is a plain function with `sf.run` in it; an agent with two tools, one of which fails
at first; a stream; and a question, so that it is run twice, and the second time everything before is looked up. Printed
is what `suffice trace` prints after each, to be held beside what the viewer shows: one trace each, the same nesting,
seconds and tokens, two errors, and nothing counted in the second. `--model` is the name under which the model of the
tests, which stands behind it, is called: viewers have dollars for names that they know.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS / "models")]

from opentelemetry import trace  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402
from upstream_faults import Asked, Fault, Ok, Status  # noqa: E402

import suffice as sf  # noqa: E402
from upstream import upstream  # noqa: E402

flow = sf.workflow


@sf.step
async def facts(letter: str) -> str:
    """What does this letter ask for?"""
    ...


@sf.step
async def tone(letter: str) -> str:
    """In what tone is it written?"""
    ...


@sf.step
async def language(letter: str) -> str:
    """In which language is it?"""
    ...


def length(letter: str) -> int:
    """A plain function: on a thread, and with a model call of its own."""
    time.sleep(0.1)
    sf.run(language(letter))
    return len(letter)


def broken(letter: str) -> str:
    """A branch that fails."""
    raise ValueError(f"cannot read {letter}")


tries: list[int] = []


tries: list[int] = []


@sf.tool
async def look_up(order: int) -> str:
    """What is known of an order."""
    await asyncio.sleep(0.05)
    return "shipped"


@sf.tool
def weigh(parcel: int) -> float:
    """How heavy a parcel is, in kg."""
    time.sleep(0.05)
    tries.append(parcel)
    if len(tries) == 1:
        raise RuntimeError(f"the scales are out of order for {parcel}")
    return 1.5


review = flow.parallel({"facts": facts, "tone": tone, "length": length, "broken": broken}, name="review")
clerk = sf.agent(tools=[look_up, weigh], instructions="Answer the letter.", name="clerk")


def program(model: sf.Model) -> Callable[[str], Awaitable[str]]:
    """The program, whose last call is a stream of `model`."""

    async def answered(letter: str) -> str:
        found = await review(letter)
        said = (await clerk.run(f"{letter}: {found['facts']}")).value
        async with model.stream(f"Shorten: {said}") as stream:
            text = "".join([piece async for piece in stream])
        return text if await sf.ask_human("Send it?", choices=["yes", "no"]) == "yes" else ""

    return answered


def answering(asked: Asked) -> Fault:
    """A model that asks for both tools, weighs once more, and answers."""
    turns = [m for m in asked.said["messages"] if m["role"] == "tool"]
    if asked.number == 0:
        return Status(500)
    if "tools" not in asked.said:
        return Ok('{"answer": "shipping"}' if "response_format" in asked.said else "shipping", (120, 30), 0.15)
    if len(turns) == 0:
        return Ok(tools=(("look_up", '{"order": 17}'), ("weigh", '{"parcel": 17}')), delay=0.1, usage=(200, 20))
    if len(turns) == 2:
        return Ok(tool=("weigh", '{"parcel": 17}'), delay=0.1, usage=(260, 15))
    return Ok("it is on its way", delay=0.1, usage=(300, 12))


def printed(run: str) -> None:
    """What `suffice trace` says of a run."""
    subprocess.run([str(Path(sys.executable).parent / "suffice"), "trace", run], check=True)


def main() -> None:
    """Send the spans, and print the trees."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--model", default="gpt-4o-mini")
    name = told.parse_args().model
    provider = TracerProvider(resource=Resource.create({"service.name": "suffice-viewer"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    with tempfile.TemporaryDirectory() as home, upstream(answering) as up:
        os.environ["SUFFICE_HOME"] = home
        model = sf.Model(f"{up.url}#{name}", price=(0.15, 0.60))
        with sf.using(model=model):
            run = partial(sf.durable.run, program(model), "where is my parcel?", id="letter-1")
            try:
                asyncio.run(run())
            except sf.durable.Waiting as stop:
                printed("letter-1")
                sf.durable.answer(stop.run, "yes")
            asyncio.run(run())
        printed("letter-1")
    provider.shutdown()


if __name__ == "__main__":
    main()
