"""A program of many steps to be killed at any moment: `python killed_program.py HOME NOTES URL STEPS`.

It notes each refund, which must never be made twice, and each look, which may be; it prints what it returned, or
WAITING and the question.
"""

from __future__ import annotations

import asyncio
import os
import sys

from suffice import Model
from suffice.errors import Waiting
from suffice.programs import durable
from suffice.programs.tool import tool

_, home, notes, url, steps = sys.argv
file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@tool
async def look(order: int) -> int:
    """The total of an order."""
    os.write(file, f"look {order}\n".encode())
    await asyncio.sleep(0.002)
    return 2 * order


@tool(repeat="never")
async def refund(order: int, total: int) -> str:
    """Pay it back."""
    await asyncio.sleep(0.001)
    os.write(file, f"refund {order}\n".encode())
    await asyncio.sleep(0.001)
    return f"{order}:{total}"


async def branch(order: int) -> str:
    """One order's three steps."""
    total = await look(order)
    reply = await Model(f"{url}#m")(f"order {order}?")
    return f"{await refund(order, total)}:{reply.text}"


async def program(orders: int) -> list[str]:
    """The first orders one after another, the last four side by side."""
    done = [await branch(order) for order in range(orders - 4)]
    return done + list(await asyncio.gather(*(branch(order) for order in range(orders - 4, orders))))


try:
    print(asyncio.run(durable.run(program, int(steps), id="shop", store=home)))
except Waiting as stop:
    print("WAITING", stop.question)
