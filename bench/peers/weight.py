"""What a package weighs: `python weight.py PACKAGE` says its installed bytes with all that it needs, as JSON."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement


def needed(name: str) -> dict[str, Distribution]:
    """A package ("name[extra]") and everything that it needs here, by name."""
    found: dict[str, Distribution] = {}
    waiting, seen = [Requirement(name)], set[tuple[str, str]]()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            key = one.name.lower().replace("_", "-"), extra
            if key in seen:
                continue
            seen.add(key)
            try:
                package = found[key[0]] = distribution(one.name)
            except PackageNotFoundError:
                continue
            needs = map(Requirement, package.requires or ())
            waiting += [r for r in needs if r.marker is None or r.marker.evaluate({"extra": extra})]
    return found


def size(package: Distribution) -> int:
    """Bytes of its files, compiled ones left out; of an editable install, those of its sources."""
    files = [Path(str(f.locate())) for f in package.files or () if f.suffix != ".pyc"]
    spec = find_spec(package.metadata["Name"].replace("-", "_"))
    if spec and spec.origin and "site-packages" not in spec.origin:
        files += [p for p in Path(spec.origin).parent.rglob("*") if p.suffix != ".pyc"]
    return sum(os.path.getsize(f) for f in files if f.is_file())


if __name__ == "__main__":
    packages = needed(sys.argv[1])
    print(json.dumps({"bytes": sum(map(size, packages.values())), "packages": len(packages)}))
