"""What a function is: its syntax tree without comments, what it closes over, and the versions of what it calls.

Covered: the function's own source; functions, classes and plain values of the user's modules that it names, and what
these name in turn; steps and workflows with what they are made of; defaults, closures, partial arguments, bound
instances; the versions of installed packages.
Modules that it imports inside its body count with their source, not with what they name in turn. Not covered: files
that it reads, the environment, remote services, names reached only by string. For those, pass `fresh=True`
(`--fresh`) or give the function an argument that changes.
"""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import pickle
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from suffice.values import content_hash

_ASKS = -1  # no id of anything: among those seen, it says that the model that holds around a call is asked
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def function_identity(function: Callable[..., Any]) -> str:
    """32 hex digits that change when the function, its arguments or its installed packages change."""
    parts = sorted(set(_parts(function, set())))
    return content_hash([f"python {sys.version_info[0]}.{sys.version_info[1]}", *parts])


def asks_around(function: Callable[..., Any]) -> bool:
    """Whether it reaches a step or an agent that says no model, and so asks the one that holds when it is called."""
    seen = set[int]()
    for _ in _parts(function, seen):
        if _ASKS in seen:
            return True
    return _ASKS in seen


def identity_of(thing: Any) -> str:
    """The same for any value: data, and the functions and tools in it."""
    return content_hash([f"python {sys.version_info[0]}.{sys.version_info[1]}", _value(thing, set())])


def packages_of(function: Callable[..., Any]) -> dict[str, str]:
    """The installed packages that the function reaches, with their versions."""
    found = (p.split(" ") for p in _parts(function, set()) if p.startswith("package "))
    return dict(sorted((name, version) for _, name, version in found))


def source_tree(source: str) -> str:
    """The syntax tree of `source` as text: comments, layout and positions gone, docstrings kept."""
    return ast.dump(ast.parse(textwrap.dedent(source)))


def _parts(thing: Any, seen: set[int]) -> Iterator[str]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, functools.partial):
        yield from _parts(thing.func, seen)
        yield f"partial {_value(thing.args, seen)} {_value(thing.keywords, seen)}"
    elif isinstance(thing, types.MethodType):
        yield from _parts(thing.__func__, seen)
        yield f"bound {_value(thing.__self__, seen)}"
    elif isinstance(thing, types.FunctionType):
        yield from _function_parts(thing, seen)
    elif isinstance(thing, types.ModuleType):
        yield from _module_parts(thing, seen)
    elif isinstance(thing, type):
        yield from _class_parts(thing, seen)
    elif _tells(thing):
        yield from _told(thing, seen)
    elif callable(thing) and not isinstance(thing, types.BuiltinFunctionType):
        kind: type[object] = type(thing)
        yield from _class_parts(kind, seen)
        yield f"instance {_apart(thing, seen, seen - {id(thing)})}"
    else:
        yield f"value {_apart(thing, seen, seen - {id(thing)})}"


def _tells(thing: Any) -> bool:
    """Whether it says itself what it is made of, in its `made_of`: a step, a workflow."""
    return hasattr(cast("type[object]", type(thing)), "made_of")


def _told(thing: Any, seen: set[int]) -> Iterator[str]:
    if getattr(thing, "asks", False):
        seen.add(_ASKS)
    for number, part in enumerate(thing.made_of):
        yield f"{type(thing).__qualname__} {number} {_apart(part, seen, set(seen))}"
        if callable(part):
            yield from (p for p in _parts(part, set(seen)) if p.startswith("package "))


def _apart(value: Any, seen: set[int], within: set[int]) -> str:
    """Its value as seen from `within`, so that what is in it counts here though it was seen elsewhere."""
    said = _value(value, within)
    if _ASKS in within:
        seen.add(_ASKS)
    return said


def _function_parts(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    package = package_of(function.__module__)
    if package is not None:
        yield package
        return
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        yield from _parts(wrapped, seen)
    yield f"def {function.__qualname__} {_source(function)}"
    yield f"defaults {_value(function.__defaults__, seen)} {_value(function.__kwdefaults__, seen)}"
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
        except ValueError:  # an empty cell: the name is not bound yet
            continue
        yield from _named(f"closure of {function.__qualname__}", inner, seen)
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield from _named(name, function.__globals__[name], seen)
    for name in sorted(_imports(function.__code__, function.__globals__.get("__package__") or "")):
        yield from _unloaded_parts(name)


def _named(name: str, thing: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(thing, types.ModuleType | types.FunctionType | type | functools.partial | types.MethodType):
        yield from _parts(thing, seen)
    else:
        yield f"{name} = {_value(thing, seen)}"


def _names(code: types.CodeType) -> set[str]:
    """Global names that a code object and the functions inside it load."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= _names(inner)
    return names


def _imports(code: types.CodeType, package: str) -> set[str]:
    """Full names of the modules that a code object and the functions inside it import in their bodies."""
    names: set[str] = set()
    steps = list(dis.get_instructions(code))
    for i, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level = steps[i - 2].argval  # pushed before the names: how many dots
            relative = "." * level if isinstance(level, int) else ""
            try:
                names.add(importlib.util.resolve_name(relative + step.argval, package))
            except ImportError:  # it will fail when called, too
                continue
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= _imports(inner, package)
    return names


def _unloaded_parts(name: str) -> Iterator[str]:
    """A module that may not be loaded yet: its source as it would be found, whether or not it is."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return
    origin = (spec.origin if spec else None) or ""
    if _in_site_packages(origin):
        yield _package(name.partition(".")[0])
    elif origin.endswith(".py"):
        yield f"imports {name} {source_tree(Path(origin).read_text(encoding='utf-8'))}"


def _class_parts(cls: type, seen: set[int]) -> Iterator[str]:
    package = package_of(cls.__module__)
    if package is not None:
        yield package
        return
    yield f"class {cls.__qualname__} {_source(cls)}"
    for base in cls.__mro__[1:]:
        yield from _parts(base, seen)
    for method in vars(cls).values():
        for inner in (method, getattr(method, "__func__", None), getattr(method, "fget", None)):
            if isinstance(inner, types.FunctionType):
                yield from _function_parts(inner, seen)


def _module_parts(module: types.ModuleType, seen: set[int]) -> Iterator[str]:
    package = package_of(module.__name__)
    if package is not None:
        yield package
        return
    try:
        yield f"module {module.__name__} {source_tree(inspect.getsource(module))}"
    except (OSError, TypeError, SyntaxError):
        yield f"module {module.__name__}"
    for name, thing in sorted(vars(module).items()):
        if not name.startswith("__") and isinstance(thing, types.ModuleType | types.FunctionType | type):
            yield from _parts(thing, seen)


def _source(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    if code is not None and code.co_name == "<lambda>":  # its source is a whole line, and may hold two of them
        return _code_text(code)
    try:
        return source_tree(inspect.getsource(thing))
    except (OSError, TypeError, SyntaxError):  # typed at a prompt or built by exec
        return _code_text(code) if code is not None else f"{thing.__module__}.{thing.__qualname__}"


def _code_text(code: types.CodeType) -> str:
    constants = [_code_text(c) if isinstance(c, types.CodeType) else _value(c, set()) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _value(value: Any, seen: set[int]) -> str:
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(v, seen) for v in value)}]"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_value(v, seen) for v in value))}}}"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k!r}: {_value(v, seen)}' for k, v in value.items())}}}"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, types.FunctionType | types.MethodType | functools.partial | type | types.ModuleType):
        return content_hash(sorted(set(_parts(value, seen))))
    kind = cast("type[object]", type(value))  # pyright: ignore[reportUnknownArgumentType]
    if _tells(value):
        return kind.__qualname__ if id(value) in seen else content_hash(sorted(set(_parts(value, seen))))
    if package_of(kind.__module__) is None and hasattr(value, "__dict__"):
        if id(value) in seen:
            return kind.__qualname__
        seen.add(id(value))
        methods = content_hash(sorted(set(_class_parts(kind, seen))))
        return f"{kind.__qualname__} {methods} {_value(dict(value.__dict__), seen)}"
    try:
        return f"{type(value).__qualname__} {hashlib.blake2b(pickle.dumps(value, 5), digest_size=16).hexdigest()}"
    except Exception:  # an open client or lock cannot be pickled: its type is all that can be said
        return f"{type(value).__module__}.{type(value).__qualname__}"


@functools.cache
def package_of(module: str | None) -> str | None:
    """ "package numpy 2.1.0" for an installed package, "stdlib" for Python's own, None for the user's code."""
    if not module:
        return None
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names and top != "__main__":
        return "stdlib"
    origin = getattr(sys.modules.get(module, sys.modules.get(top)), "__file__", None) or ""
    if not _in_site_packages(origin):
        return "suffice" if top == "suffice" else None
    return _package(top)


def _package(top: str) -> str:
    name = _distributions().get(top, [top])[0]
    try:
        return f"package {name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"package {name} unknown"


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {k: list(v) for k, v in importlib.metadata.packages_distributions().items()}


def _in_site_packages(file: str) -> bool:
    roots = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return any(Path(file).is_relative_to(root) for root in roots if file)
