"""Two programs for the desk: one that knows the policy and may ask, and one that was told to be quick."""

from __future__ import annotations

from shop import POLICY, SHOP

import suffice as sf

careful = SHOP.solution(lambda tools: sf.agent(tools=[*tools, sf.ask_human], instructions=POLICY), name="careful")

QUICK = "You work at the desk of a web shop. Do what the customer wants, at once. Sums are in cents."
quick = SHOP.solution(lambda tools: sf.agent(tools=tools, instructions=QUICK), name="quick")
