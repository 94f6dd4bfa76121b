"""Files: what is saved comes back; what was damaged is refused; nothing is ever executed."""

import json
import os
import pickle
import stat
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import value

import tinygrad_mlp as tg
from tinygrad_mlp.torch import saving

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")

tensors = (
    st.sampled_from(DTYPES)
    .flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=3)))
    .map(tg.tensor)
)
plain = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
keys = st.text(max_size=5) | st.integers(-3, 99)
trees = st.recursive(
    plain | tensors,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(keys, parts, max_size=3),
    max_leaves=8,
)


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, tg.Tensor):
        assert isinstance(found, tg.Tensor)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert value(found).tobytes() == value(expected).tobytes()
        assert not found.requires_grad
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    else:
        assert type(found) is type(expected)
        assert found == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@given(tree=trees)
def test_what_is_saved_comes_back(folder: Path, tree: Any) -> None:
    tg.save(tree, folder / "tree")
    data = (folder / "tree").read_bytes()
    same(tg.load(folder / "tree"), tree)
    assert os.listdir(folder) == ["tree"]
    tg.save(tree, folder / "tree")
    assert (folder / "tree").read_bytes() == data


@pytest.mark.parametrize("call", [lambda p: tg.save([1], p), tg.load])
def test_without_safetensors_it_is_said_how_to_have_it(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(sys.modules, "safetensors.numpy", raising=False)
    needed = r"^safetensors is not installed: pip install 'tinygrad-mlp\[save\]'$"
    with pytest.raises(ModuleNotFoundError, match=needed):
        call(tmp_path / "x")


def test_safetensors_reads_what_is_saved(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    arrays = {
        "b": np.arange(3),
        "a": np.float32([[1, 2]]),
        "c": np.array(True),
        "d": np.ones((0, 2)),
    }
    tg.save({name: tg.tensor(array) for name, array in arrays.items()}, tmp_path / "x")
    found = load_file(tmp_path / "x")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert (found[name] == array).all()


def test_other_forms_come_back_in_ours(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    swapped = array.astype(">f8")
    w = tg.tensor(array, requires_grad=True)
    path = str(tmp_path / "x")
    tg.save((array, swapped, array[::2].T, np.float32(1.5), w, w * 2), path)
    found = tg.load(path)
    expected = [array, array, array[::2].T, 1.5, array, array * 2]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value(a) if isinstance(a, tg.Tensor) else a, b)
    assert found[1].dtype == np.dtype("=f8")


def test_a_checkpoint_goes_on(tmp_path: Path) -> None:
    net = tg.nn.Linear(3, 2)
    optimiser = tg.optim.Adam(net.parameters())
    net(tg.ones(1, 3)).sum().backward()
    optimiser.step()
    tg.save({"net": net.state_dict(), "optimiser": optimiser.state_dict()}, tmp_path / "x")
    found = tg.load(tmp_path / "x")
    other = tg.nn.Linear(3, 2)
    other.load_state_dict(found["net"])
    heir = tg.optim.Adam(other.parameters(), lr=5)
    heir.load_state_dict(found["optimiser"])
    for network, o in ((net, optimiser), (other, heir)):
        o.zero_grad()
        network(tg.ones(1, 3)).sum().backward()
        o.step()
    np.testing.assert_array_equal(value(net.weight), value(other.weight))


def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tg.save([1], path)
    for thing, message in (
        ({"f": print}, "f is a builtin_function"),
        ({"net": tg.nn.ReLU()}, r"net is a ReLU; .* of a Module its state_dict\(\)"),
        (np.array(["a"]), "the array has the dtype <U1"),
        ({"a": np.array([1j])}, "a has the dtype complex128"),
        ({(1, 2): 3}, "a key is text or an int, not tuple"),
        ({"a": [b"bytes"]}, "a.0 is a bytes"),
    ):
        with pytest.raises(TypeError, match=message):
            tg.save(thing, path)
    assert tg.load(path) == [1]


# Damage.


def example(folder: Path) -> tuple[bytes, Path]:
    path = folder / "example"
    tg.save({"w": tg.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": tg.tensor([True]), "n": 3}, path)
    return path.read_bytes(), path


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data, path = example(tmp_path)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"^load: .*nothing was loaded$"):
            tg.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(ValueError, match="truncated, damaged or no safetensors file"):
        tg.load(path)


def test_every_changed_byte_is_refused(tmp_path: Path) -> None:
    data, path = example(tmp_path)
    same_thing = tg.load(path)
    for at in range(len(data)):
        for flip in (1, 0x20, 0x80):
            path.write_bytes(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])
            try:
                found = tg.load(path)
            except ValueError as error:
                assert str(error).startswith("load: ")
            else:
                # Only between the parts of the header is there anything without a meaning.
                assert data[at : at + 1] == b" "
                same(found, same_thing)


@given(data=st.binary(max_size=200))
def test_what_is_no_such_file_is_refused(folder: Path, data: bytes) -> None:
    path = folder / "tree"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="^load: "):
        tg.load(path)


def entry(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


@pytest.mark.parametrize(
    "header",
    [
        [],
        3,
        None,
        {"w": 3},
        {"w": {}},
        {"__metadata__": 3, **entry()},
        entry(dtype="F8"),
        entry(dtype="BF16", shape=[2]),
        entry(dtype="U32"),
        entry(dtype=["F32"]),
        entry(shape=[2]),
        entry(shape=[-1]),
        entry(shape=["1"]),
        entry(shape=[True]),
        entry(shape=3),
        entry(shape=[10**30]),
        entry(data_offsets=[0, 8], shape=[2]),
        entry(data_offsets=[-4, 0]),
        entry(data_offsets=[0]),
        entry(data_offsets=["0", "4"]),
        entry(data_offsets=[0.0, 4.0]),
        {**entry(), "v": entry()["w"]},
        entry(dtype="BOOL", shape=[4]),
        {"__metadata__": {"tinygrad_mlp": "{}"}, **entry()},
        {"__metadata__": {"tinygrad_mlp": "[]"}, **entry()},
        {"__metadata__": {"tinygrad_mlp": "sha256"}, **entry()},
        {"__metadata__": {"tinygrad_mlq": '{"sha256": ""}'}, **entry()},
    ],
    ids=str,
)
def test_headers_that_lie_are_refused(tmp_path: Path, header: Any) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\2\0\0\0")
    with pytest.raises(ValueError, match="^load: "):
        tg.load(path)


def test_a_file_from_elsewhere_is_a_dict_of_tensors(tmp_path: Path) -> None:
    text = json.dumps({"__metadata__": {"format": "pt"}, **entry()}).encode()
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<f", 1.5))
    same(tg.load(path), {"w": tg.tensor([1.5])})
    # It may have a header that makes the bytes of a Tensor begin anywhere.
    path.write_bytes(struct.pack("<Q", len(text) + 1) + text + b" " + struct.pack("<f", 1.5))
    same(tg.load(path), {"w": tg.tensor([1.5])})


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    for data in (pickle.dumps(Bomb()), b"\x80\x02cos\nsystem\n"):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(ValueError, match="^load: "):
            tg.load(tmp_path / "x")
    np.save(tmp_path / "x.npy", np.array([Bomb()]), allow_pickle=True)
    with pytest.raises(ValueError, match="^load: "):
        tg.load(tmp_path / "x.npy")
    assert not (tmp_path / "executed").exists()


def test_a_damaged_file_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    net = tg.nn.Linear(2, 2)
    before = value(net.weight).copy()
    tg.save(tg.nn.Linear(2, 2).state_dict(), tmp_path / "x")
    data = bytearray((tmp_path / "x").read_bytes())
    data[-1] ^= 1
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError, match="damaged or changed"):
        net.load_state_dict(tg.load(tmp_path / "x"))
    np.testing.assert_array_equal(value(net.weight), before)


# A save is there in full, or not at all.


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "x"
    tg.save([1], path)

    def fail(*args: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(saving.os, call, fail)
    with pytest.raises(OSError, match="disk is full"):
        tg.save([2], path)
    monkeypatch.undo()
    assert tg.load(path) == [1]
    assert os.listdir(tmp_path) == ["x"]


def test_a_save_is_on_the_disk_before_it_replaces_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            saving.os, name, lambda *a, name=name, real=real: (done.append(name), real(*a))[1]
        )
    tg.save([1], tmp_path / "x")
    assert done[:2] == ["fsync", "replace"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_are_those_of_any_file(tmp_path: Path) -> None:
    path, other = tmp_path / "x", tmp_path / "other"
    tg.save([1], path)
    other.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    path.chmod(0o600)
    tg.save([2], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices are POSIX's")
def test_a_link_stays_and_so_do_pipes(tmp_path: Path) -> None:
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "run/target"))
    target.parent.mkdir()
    link.symlink_to(target)
    for content in ([1], [2]):
        tg.save(content, link)
        assert (link.is_symlink(), tg.load(link), tg.load(target)) == (True, content, content)
    assert os.listdir(target.parent) == ["target"]
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="pipe: it is a device or a pipe, not a file; nothing was"):
        tg.save([1], pipe)
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tg.save([1], tmp_path / "nowhere" / "x")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tg.load(tmp_path / "nowhere")
