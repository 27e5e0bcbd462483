"""A workflow: parts and the way in which they are called, as one function that is a solution wherever one is wanted."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.models.serving import serving
from suffice.programs.identity import asks_around, function_identity
from suffice.programs.solution import Form, Solution, as_answer, from_function, gathered
from suffice.programs.using import maybe_using, model_configured, model_for, reached_by, saved_options
from suffice.programs.variable import module_outside, variable_of
from suffice.programs.workflow.part import Part
from suffice.spans import span
from suffice.values import Answer, Json, content_hash

Body = Callable[[Any], Awaitable[Answer]]
"""What a workflow does with a case's inputs: a bare value, or a dict by column name."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Workflow:
    """`await workflow(inputs)` gives the value, `await workflow.reply(inputs)` the whole Answer.

    Inputs are one value, or keyword arguments. Its identity changes when a part changes, `settings` do, or the model
    that its steps ask. A workflow at the top level of a module is saved by its name there, as a function is.
    """

    kind: str
    parts: tuple[Part, ...]
    body: Body
    settings: tuple[Any, ...]
    said_name: str | None
    module: str

    def __repr__(self) -> str:
        return f"<Workflow {self.name}: {self.kind} of {', '.join(p.name for p in self.parts)}>"

    @property
    def name(self) -> str:
        """As said, else as it is called in its module, else its kind."""
        return self.said_name or self._variable or self.kind

    @property
    def __signature__(self) -> inspect.Signature:
        """Of its first part, which is given the inputs."""
        return inspect.signature(self.parts[0].thing)

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What its identity hangs on, besides the model that holds where a step says none."""
        return (self.kind, self.settings, *(p.thing for p in self.parts))

    @property
    def import_path(self) -> str | None:
        """ "module:name" where it stands at the top level of a module, None where no program could import it."""
        return f"{self.module}:{self._variable}" if self._variable else None

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The answer's value."""
        return (await self.reply(*args, **kwargs)).value

    async def reply(self, *args: Any, **kwargs: Any) -> Answer:
        """The answer with its confidence. Raises what a part raises, where the workflow does not go on without it."""
        return await self.answer_of(gathered(args, kwargs))

    async def answer_of(self, inputs: Any) -> Answer:
        """As `reply`, of inputs as a case has them: one value, or a dict by name."""
        with serving(self.name), span(self.name, "program"):
            return await self.body(inputs)

    def as_solution(self, name: str | None = None) -> Solution:
        """The workflow as a solution; the model of its steps is the one that holds now. Raises NoModel."""
        configured = model_configured() if asks_around(self) else None
        around = None if configured is None else model_for(None, self.name)
        identities = [from_function(p.thing).identity for p in self.parts]
        source = function_identity(self)
        reached: dict[str, Json] = {} if around is None else dict(reached_by(around))
        options = {} if around is None else saved_options(around)

        async def ask(inputs: Json) -> Answer:
            with maybe_using(around):
                return as_answer(await self.answer_of(inputs))

        path, first = self.import_path, self.parts[0]
        data: Json = {"import": path, "source": source, "model": configured, "reached": reached, "options": options}
        return Solution(
            name=name or self.name,
            ask=ask,
            identity=content_hash([source, identities, repr(around)]),
            confident=True,  # only its answers tell
            form=None if path is None else Form("workflow", data),
            parameters=first.parameters,
            required=first.required,
        )

    @property
    def _variable(self) -> str | None:
        return variable_of(self, self.module)


def workflow(
    kind: str, parts: Sequence[Part], body: Body, settings: tuple[Any, ...] = (), name: str | None = None
) -> Workflow:
    """A workflow made for whoever calls from outside of this package. Its first part is given the inputs."""
    module = module_outside("suffice.programs.workflow", "suffice.arguments")
    return Workflow(kind, tuple(parts), body, settings, name, module)
