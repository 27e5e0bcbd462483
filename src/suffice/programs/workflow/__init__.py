"""Workflows: short functions over steps, solutions and plain functions. Each makes a function that is a solution."""

from suffice.programs.workflow.branch import branch as branch
from suffice.programs.workflow.chain import chain as chain
from suffice.programs.workflow.chain import gate as gate
from suffice.programs.workflow.extract import extract as extract
from suffice.programs.workflow.map_reduce import map_reduce as map_reduce
from suffice.programs.workflow.orchestrate import orchestrate as orchestrate
from suffice.programs.workflow.parallel import parallel as parallel
from suffice.programs.workflow.refine import refine as refine
from suffice.programs.workflow.vote import vote as vote

__all__ = ["branch", "chain", "extract", "gate", "map_reduce", "orchestrate", "parallel", "refine", "vote"]
