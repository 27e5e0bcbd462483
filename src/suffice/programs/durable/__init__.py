"""`sf.durable`: programs that can be killed, or wait for a person, at any moment, and go on from there."""

from suffice.errors import JournalDiverged, Waiting
from suffice.programs.durable.moment import now, random
from suffice.programs.durable.questions import Question, Status, answer, questions, status
from suffice.programs.durable.run import run

__all__ = ["JournalDiverged", "Question", "Status", "Waiting", "answer", "now", "questions", "random", "run", "status"]
