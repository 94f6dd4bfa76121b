"""Saving Tensors and loading them: the safetensors format, in which nothing can be executed.

What else there is to save, such as the epoch, is JSON in the file's metadata, beside a SHA-256 of
all of it. Files of Tensors alone go back and forth between this package and others that know the
format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import sha256
from math import prod
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from numpy import ndarray

from .accepts import DTYPES
from .tensor import Tensor, wrap

__all__ = ["load", "save"]

# By safetensors' names.
KINDS = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
OURS = "tinygrad_mlp"
PLAIN = (bool, int, float, str, type(None))


def require_safetensors() -> None:
    """ModuleNotFoundError, which says how to install it, where it is not."""
    try:
        import safetensors  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "safetensors":
            raise
        needed = "safetensors is not installed: pip install 'tinygrad-mlp[save]'"
        raise ModuleNotFoundError(needed, name="safetensors") from None


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write Tensors, arrays, numbers, text, and lists, tuples and dicts of them, to a file.

    The file is there in full or not at all: what was there before is replaced in one move, once
    everything is on the disk. Tuples come back as lists, arrays as Tensors; keys are text or ints.

    TypeError for what cannot be saved; OSError where the file cannot be written;
    ModuleNotFoundError where the extra ``save`` is not installed.

    >>> import tempfile, tinygrad_mlp as tg
    >>> net = tg.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"net": net.state_dict(), "epoch": 3}, f"{folder}/net.safetensors")
    ...     loaded = tg.load(f"{folder}/net.safetensors")
    >>> net.load_state_dict(loaded["net"])
    <All keys matched successfully>
    """
    require_safetensors()
    from safetensors import numpy

    arrays: dict[str, ndarray] = {}
    try:
        tree = json.dumps(flattened(obj, "", arrays))
    except RecursionError:
        raise ValueError("save: this contains itself, or is nested too deep") from None
    # One entry, since safetensors writes several in any order.
    meta = {OURS: json.dumps({"sha256": digest(tree, arrays), "tree": tree})}
    # It ends the process where memory runs out, and needs this much; NumPy has an exception.
    np.empty(3 * sum(array.nbytes for array in arrays.values()) + 2**20, np.uint8)
    replace_file(Path(path), [numpy.save(arrays, meta)])


def load(path: str | os.PathLike[str]) -> Any:
    """What ``save`` wrote; of a safetensors file from elsewhere, a dict of Tensors by name.

    Nothing in a file is ever executed. ValueError where it is truncated, was changed since it was
    saved, or is not such a file at all; OSError where it cannot be read; ModuleNotFoundError where
    the extra ``save`` is not installed.
    """
    require_safetensors()
    from safetensors import SafetensorError

    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise ValueError(f"load: {path}: it is a device or a pipe, not a file; nothing was loaded")
    try:
        meta, arrays = parts(path)
        if OURS not in meta and not any("sha256" in text for text in meta.values()):
            return {name: wrap(array) for name, array in arrays.items()}
        saved = json.loads(meta.get(OURS, "{}"))
        if saved.get("sha256") != digest(saved.get("tree", ""), arrays):
            raise ValueError("it was damaged or changed since it was saved")
        return unflattened(json.loads(saved["tree"]), arrays)
    except SafetensorError as error:
        why = f"it is truncated, damaged or no safetensors file ({error})"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = str(error) if type(error) is ValueError else "its metadata was not written by save"
    raise ValueError(f"load: {path}: {why}; nothing was loaded")


def parts(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, ndarray]]:
    """The metadata of a file, and its arrays by name."""
    from safetensors import safe_open

    arrays = {}
    # NumPy reads the entries, one after the other, and has an exception where memory runs out.
    with open(path, "rb") as raw, safe_open(path, "numpy") as file:
        raw.seek(8 + int.from_bytes(raw.read(8), "little"))  # past the header and its length
        for name in file.offset_keys():
            entry = file.get_slice(name)
            kind, shape = entry.get_dtype(), entry.get_shape()
            if kind not in KINDS:
                raise ValueError(f"{name} has the dtype {kind}, which a Tensor cannot have")
            dtype = np.dtype(KINDS[kind])
            array = np.fromfile(raw, dtype, prod(shape))
            if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
                raise ValueError(f"{name} has entries that are neither true nor false")
            arrays[name] = array.astype(dtype.newbyteorder("="), copy=False).reshape(shape)
        return file.metadata() or {}, arrays


def flattened(value: Any, name: str, arrays: dict[str, ndarray]) -> Any:
    """A value as JSON, in which {"tensor": name} stands for each of the arrays."""
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, ndarray):
        if value.dtype.newbyteorder("=") not in DTYPES:
            raise TypeError(f"save: {name or 'the array'} has the dtype {value.dtype}")
        key = (name or "tensor").encode(errors="replace").decode()  # what UTF-8 can say
        if key in arrays or key == "__metadata__":
            key = next(k for k in (f"{key}#{i}" for i in range(len(arrays) + 1)) if k not in arrays)
        # In one piece, row by row and in the machine's byte order, as safetensors takes it.
        arrays[key] = np.asarray(value, value.dtype.newbyteorder("="), order="C")
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


def unflattened(tree: Any, arrays: dict[str, ndarray]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return wrap(arrays[content])
    if kind == "list":
        return [unflattened(part, arrays) for part in content]
    return {key: unflattened(part, arrays) for key, part in content}


def digest(tree: str, arrays: dict[str, ndarray]) -> str:
    found = sha256(tree.encode())
    for name, array in sorted(arrays.items()):
        found.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        found.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file such that at each moment either the old one is there or the new one."""
    path = Path(os.path.realpath(path))  # not the link that leads there
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
