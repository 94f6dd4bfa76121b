"""Saving Tensors and loading them: the safetensors format, in which nothing can be executed.

A file is the length of a header, 8 bytes; the header, which is JSON and says of each Tensor its
dtype, its shape and where its bytes are; and the bytes. What else there is to save, such as the
epoch, is JSON in the header's ``__metadata__``, beside a SHA-256 of all of it. Files of Tensors
alone go back and forth between this package and others that know the format.
"""

from __future__ import annotations

import os
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy import ndarray

from .tensor import Tensor, wrap

# json, pathlib, secrets and hashlib, which together take as long to import as the rest of the
# package, are imported by those who save and load.
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load", "save"]

DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}
LONGEST = 100_000_000  # bytes of a header, as other readers have it
OURS = "tinygrad_mlp"
PLAIN = (bool, int, float, str, type(None))


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write Tensors, arrays, numbers, text, and lists, tuples and dicts of them, to a file.

    The file is there in full or not at all: what was there before is replaced in one move, once
    everything is on the disk. Tuples come back as lists, arrays as Tensors; keys are text or ints.

    TypeError for what cannot be saved; OSError where the file cannot be written.

    >>> import tempfile, tinygrad_mlp as tg
    >>> net = tg.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"net": net.state_dict(), "epoch": 3}, f"{folder}/net.safetensors")
    ...     loaded = tg.load(f"{folder}/net.safetensors")
    >>> net.load_state_dict(loaded["net"])
    <All keys matched successfully>
    """
    import json
    from pathlib import Path

    arrays: dict[str, ndarray] = {}
    try:
        tree = flattened(obj, "", arrays)
        described = json.dumps(tree)
    except RecursionError:
        raise ValueError("save: this contains itself, or is nested too deep") from None
    header: dict[str, Any] = {}
    chunks: list[Any] = []
    at = 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        chunks.append(array.reshape(-1).view(np.uint8).data)
        at += array.nbytes
    meta = {"format": OURS, "tree": described, "sha256": digest(header, described, chunks)}
    text = json.dumps({"__metadata__": meta, **header}).encode()
    text += b" " * (-len(text) % 8)
    replace_file(Path(path), [len(text).to_bytes(8, "little"), text, *chunks])


def load(path: str | os.PathLike[str]) -> Any:
    """What ``save`` wrote; of a safetensors file from elsewhere, a dict of Tensors by name.

    Nothing in a file is ever executed, and no more is read than its header says. ValueError
    where it is truncated, was changed since it was saved, or is not such a file at all; OSError
    where it cannot be read.
    """
    from pathlib import Path

    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise ValueError(f"load: {path}: it is a device or a pipe, not a file; nothing was loaded")
    try:
        with open(path, "rb") as file:
            return parsed(file, os.fstat(file.fileno()).st_size)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = str(error) if type(error) is ValueError else "its header is not a safetensors header"
        raise ValueError(f"load: {path}: {why}; nothing was loaded") from None


def flattened(value: Any, name: str, arrays: dict[str, ndarray]) -> Any:
    """A value as JSON, in which {"tensor": name} stands for each of the arrays."""
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, ndarray):
        if value.dtype.newbyteorder("<") not in NAMES:
            raise TypeError(f"save: {name or 'the array'} has the dtype {value.dtype}")
        key = name or "tensor"
        if key in arrays or key == "__metadata__":
            key = next(k for k in (f"{key}#{i}" for i in range(len(arrays) + 1)) if k not in arrays)
        arrays[key] = value
        return {"tensor": key}
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        parts = [flattened(v, f"{name}.{i}".lstrip("."), arrays) for i, v in enumerate(value)]
        return {"list": parts}
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"save: a key is text or an int, not {type(key).__name__}")
        items = [[k, flattened(v, f"{name}.{k}".lstrip("."), arrays)] for k, v in value.items()]
        return {"dict": items}
    raise TypeError(
        f"save: {name or 'this'} is a {type(value).__name__}; what can be saved are Tensors, "
        "arrays, numbers, text, None, and lists and dicts of them: of a Module its state_dict()"
    )


def parsed(file: BinaryIO, length: int) -> Any:
    """The content of a file of so many bytes."""
    import json

    size = int.from_bytes(file.read(8), "little")
    if length < 8 or size > min(LONGEST, length - 8):
        raise ValueError("it is truncated, or not a safetensors file")
    try:
        header = json.loads(file.read(size).decode(), object_pairs_hook=each_once)
    except ValueError:
        raise ValueError("it is not a safetensors file, or damaged") from None
    if not isinstance(header, dict):
        raise ValueError("it is not a safetensors file")
    meta = header.pop("__metadata__", {})
    places = {}
    at = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{name} has the dtype {entry['dtype']}, which a Tensor cannot have")
        dtype = np.dtype(DTYPES[entry["dtype"]])
        if any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"{name} has the shape {shape}")
        if start != at or end - start != prod(shape) * dtype.itemsize:
            raise ValueError(f"the place of {name} does not fit its shape {shape}")
        places[name] = dtype, shape, slice(start, end)
        at = end
    if at > length - 8 - size:
        raise ValueError("it is truncated")
    if at < length - 8 - size:
        raise ValueError("it is longer than its header says")
    body = memoryview(file.read(at))
    if len(body) < at:
        raise ValueError("it became shorter while it was read")
    arrays = {}
    for name, (dtype, shape, place) in places.items():
        raw = np.frombuffer(body[place], np.uint8)
        if dtype.kind == "b" and raw.max(initial=0) > 1:
            raise ValueError(f"{name} has entries that are neither true nor false")
        array = raw.copy().view(dtype).reshape(shape)
        arrays[name] = array.astype(dtype.newbyteorder("="), copy=False)
    if meta.get("format") != OURS and not {"tree", "sha256"} & meta.keys():
        return {name: wrap(array) for name, array in arrays.items()}
    if meta["format"] != OURS or meta["sha256"] != digest(header, meta["tree"], [body]):
        raise ValueError("it was damaged or changed since it was saved")
    return unflattened(json.loads(meta["tree"]), arrays)


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")  # of two readers each may take another one
    return found


def unflattened(tree: Any, arrays: dict[str, ndarray]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return wrap(arrays[content])
    if kind == "list":
        return [unflattened(part, arrays) for part in content]
    return {key: unflattened(part, arrays) for key, part in content}


def digest(header: dict[str, Any], tree: str, chunks: list[Any]) -> str:
    import json
    from hashlib import sha256

    found = sha256(json.dumps([header, tree], sort_keys=True).encode())
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def replace_file(path: Path, chunks: list[Any]) -> None:
    """Write a file such that at each moment either the old one is there or the new one."""
    from secrets import token_hex

    path = path.resolve()  # not the link that leads there
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"save: {path}: it is a device or a pipe, not a file; nothing was saved")
    # In the same folder, since a move between file systems is not one step.
    part = path.with_name(f".{path.name}.{token_hex(8)}.part")
    file = None
    try:
        file = open(part, "xb")  # noqa: SIM115 (an interrupt can miss the end of a with)
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        if path.exists():
            os.chmod(part, path.stat().st_mode & 0o777)
        os.replace(part, path)
    except BaseException:
        if file is not None:
            file.close()
        part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
