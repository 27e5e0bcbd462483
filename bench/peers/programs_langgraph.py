"""Steps and agents with LangGraph. See `bench/programs.py`."""

from __future__ import annotations

import sys
import warnings
from typing import TypedDict

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from timing import main

warnings.simplefilter("ignore")
from langgraph.prebuilt import create_react_agent  # noqa: E402

url, steps = sys.argv[1], int(sys.argv[2])
model = ChatOpenAI(model="m", base_url=url, api_key="none")
number = iter(range(10**9))


class State(TypedDict):
    """What goes along the graph."""

    question: str
    answer: str


async def answer(state: State) -> dict[str, str]:
    """The one node."""
    said = await model.ainvoke([("system", "Answer the question."), ("user", state["question"])])
    return {"answer": str(said.content)}


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


graph = StateGraph(State).add_node("answer", answer).add_edge(START, "answer").add_edge("answer", END)
asked = graph.compile(checkpointer=InMemorySaver())
bot = create_react_agent(model, [add], checkpointer=InMemorySaver())


async def chain(n: int) -> str:
    """A graph of one node, once a step."""
    for i in range(n):
        config = {"configurable": {"thread_id": str(next(number))}}
        said = await asked.ainvoke({"question": f"How much is 3 + 4? ({i})", "answer": ""}, config)
    return said["answer"]


async def agent(n: int) -> str:
    """One run of the agent."""
    config = {"configurable": {"thread_id": str(next(number))}, "recursion_limit": 10 * n}
    found = await bot.ainvoke({"messages": [("user", "Add until it is enough.")]}, config)
    assert found["messages"][-1].content == "7"
    return "7"


if __name__ == "__main__":
    main({"step": chain, "agent": agent}, steps)
