"""The one bounded agent: a model that calls tools in a loop with stated ends, and a transcript of what it did."""

from suffice.programs.agent.bot import agent as agent
