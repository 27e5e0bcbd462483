"""Arrays as the bytes of an npz file and back: equal arrays give equal bytes, and no file can do harm by its content.

Plain zip without compression, so that an array can never be larger than its file, and no pickle.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from suffice.errors import BundleError, SolutionError

MAX_BYTES: Final = 2**31 - 1
"""The largest file of weights that is written or read: 2 GiB."""

MAX_ARRAYS: Final = 64
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a zip entry must carry a time; the first there is


def pack(arrays: Mapping[str, Any]) -> bytes:
    """The npz file of `arrays`. Raises SolutionError where they are too large or not plain numbers."""
    buffer = io.BytesIO()
    total = sum(np.asarray(a).nbytes for a in arrays.values())
    if total >= MAX_BYTES - 2**20:
        raise SolutionError(f"its weights take {total:,} bytes; a bundle holds {MAX_BYTES:,} at most")
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if array.dtype.kind not in "biuf":
                raise SolutionError(f"its array {name} holds {array.dtype}, not numbers")
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.create_system = 3  # otherwise it is the system's own number, and the bytes differ
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack(data: bytes, where: str) -> dict[str, Any]:
    """The arrays in the bytes of an npz file. Raises BundleError for anything but plain numbers of the stated size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS:
                raise ValueError(f"{len(entries)} arrays")
            return {e.filename.removesuffix(".npy"): _array(archive, e, len(data)) for e in entries}
    except Exception as error:  # what zip and npy raise for a hostile file is a long list
        reason = f"{type(error).__name__}: {error}"[:200]
        raise BundleError(f"not a file of weights ({reason})", hint="save the bundle again", where=where) from None


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int) -> Any:
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.file_size > size:
        raise ValueError(f"{entry.filename} is compressed or longer than its file")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        rest = file.read()
    if dtype.kind not in "biuf" or dtype.hasobject:
        raise ValueError(f"{entry.filename} holds {dtype}, not numbers")
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"{entry.filename} says {shape}, which is not its size")
    return np.frombuffer(rest, dtype=dtype).reshape(shape, order="F" if fortran else "C")
