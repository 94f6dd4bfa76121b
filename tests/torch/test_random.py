"""The generator by itself. The numbers written out here are PyTorch 2.13's."""

import copy
import pickle
import subprocess
import sys
import threading
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import often_another_thread

from tinygrad_mlp.torch.random import Generator, default_generator, manual_seed
from tinygrad_mlp.torch.random import normal as normal_numbers

DTYPES = ["float32", "float64"]
BITS = {"float32": 24, "float64": 53}


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def take_some(generator: Generator) -> list[bytes]:
    """Numbers that differ if the position of the stream or the kept normal does."""
    return [generator.normal((2,), "float64").tobytes(), generator.uniform((), "f4").tobytes()]


@pytest.mark.parametrize(
    ("seed", "float32", "float64"),
    [
        (
            0,
            [8325804, 12888623, 1484405],
            [8737460674931247, 6375474555112640, 4137753702978299],
        ),
        (
            1,
            [12710949, 4686059, 6762380],
            [549919010554091, 2022607184204872, 2109959069025161],
        ),
        (
            2**32 + 5,
            [13929315, 2115790, 15224815],
            [5782757089233102, 2339691299989181, 3250046264794230],
        ),
        (
            -1,
            [16673187, 9584930, 9563148],
            [8560398581252386, 5044613304593479, 8505497795493440],
        ),
    ],
)
def test_uniforms_of_known_seeds(seed: int, float32: list[int], float64: list[int]) -> None:
    for dtype, expected in (("float32", float32), ("float64", float64)):
        values = seeded(seed).uniform((3,), dtype)
        assert values.dtype == dtype
        assert (values * 2.0 ** BITS[dtype]).tolist() == expected


def test_without_a_seed_every_generator_starts_alike() -> None:
    generator = Generator()
    assert generator.initial_seed() == 67280421310721
    assert (generator.uniform((3,), "f4") * 2**24).tolist() == [4484470, 14638596, 5625213]


@pytest.mark.parametrize(
    ("n", "checksum"),
    [
        (16, 0x8901A57A),
        (17, 0xA09A670F),
        (31, 0xE7DE0936),
        (32, 0x57A8EC14),
        (100, 0xF42887E4),
        (1000, 0xC9069C66),
    ],
)
def test_float32_normals_bit_for_bit(n: int, checksum: int) -> None:
    values = seeded(0).normal((n,), "float32").astype("<f4")
    assert zlib.crc32(values.tobytes()) == checksum


def test_float64_normals() -> None:
    expected = [
        *[-2.310411800234176, -0.6332746088675096, -1.2609246557194385, -0.726951062065411],
        *[-0.019964750907762653, 0.2102998901016947, 0.17718935139366584, -0.830510051008449],
        *[0.23871805816817063, -0.2426793824588577, -0.7730112772958181, -1.5951814880783068],
        *[-0.6870036940435463, 1.4880743158106724, -0.4484158047114511, -0.8910030351707375],
        0.6748575435940039,
    ]
    # Logarithm, sine and cosine are the C library's, each free to be one unit off.
    np.testing.assert_array_max_ulp(seeded(0).normal((17,), "float64"), np.array(expected), 4)


def test_a_kept_normal_is_used_next_whatever_its_dtype() -> None:
    generator = seeded(0)
    drawn = [
        generator.normal((1,), "float32"),
        generator.normal((2,), "float64"),
        generator.normal((0, 5), "float32"),
        generator.normal((3,), "float32"),
    ]
    expected = [
        [1.5409960746765137],
        [-0.2934289057609464, -2.1787893820745574],
        [],
        [0.5684312582015991, -1.0845223665237427, -1.3985954523086548],
    ]
    for values, known in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(values.ravel(), known, rtol=2 * np.finfo(values.dtype).eps)
    assert generator.uniform((), "float32") * 2**24 == 374564


def test_sixteen_and_more_leave_a_kept_normal_alone() -> None:
    one, other = seeded(0), seeded(0)
    pair = one.normal((2,), "float64")
    other.normal((1,), "float64")
    other.normal((33,), "float32")
    assert other.normal((), "float64") == pair[1]


def test_seeding_drops_a_kept_normal() -> None:
    generator = seeded(0)
    generator.normal((1,), "float32")
    assert take_some(generator.manual_seed(0)) == take_some(seeded(0))


def test_a_zero_has_no_sign() -> None:
    # Here a radius is 0 and both its cosine and its sine are negative or positive.
    values = seeded(76519).normal((624,), "float32")
    assert np.flatnonzero(values == 0).tolist() == [497, 505]
    assert not np.signbit(values[values == 0]).any()


def test_long_draws_equal_the_same_draw_in_pieces() -> None:
    whole, pieces = seeded(3), seeded(3)
    n = 3 * 2**15 + 8
    parts: list[NDArray[Any]] = [pieces.uniform((n // 4,), "float64") for _ in range(4)]
    assert (whole.uniform((n,), "float64") == np.concatenate(parts)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1), (2, 3), (4, 4), (3, 7)])
def test_shapes_and_dtypes(method: str, shape: tuple[int, ...], dtype: str) -> None:
    values = getattr(seeded(1), method)(shape, dtype)
    assert isinstance(values, np.ndarray)
    assert (values.shape, values.dtype) == (shape, np.dtype(dtype))
    assert values.flags.writeable
    assert values.flags.c_contiguous
    flat = getattr(seeded(1), method)((values.size,), dtype)
    assert (values.ravel() == flat).all()


@pytest.mark.parametrize("method", ["uniform", "normal"])
def test_what_cannot_be_drawn_is_refused_and_takes_nothing(method: str) -> None:
    generator = seeded(1)
    draw = getattr(generator, method)
    for dtype in ("float16", "int64", "complex64", ">f4", None):
        with pytest.raises(TypeError, match=f"^{method}: dtype {dtype!r} is not float32"):
            draw((16,), dtype)
    for shape in ((-1,), (-1, -1), (0, -2)):
        with pytest.raises(ValueError, match=f"^{method}: shape .* negative size"):
            draw(shape, "float32")
    assert take_some(generator) == take_some(seeded(1))


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**64 - 1, -1, -(2**63), np.int64(-7)])
def test_seeds_are_read_modulo_2_to_the_64(seed: int) -> None:
    generator = Generator()
    assert generator.manual_seed(seed) is generator
    assert generator.initial_seed() == int(seed) % 2**64
    assert take_some(generator) == take_some(seeded(int(seed) % 2**32))


def test_bad_seeds_change_nothing() -> None:
    generator = seeded(5)
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match=r"-2\*\*63 and 2\*\*64 - 1"):
            generator.manual_seed(seed)
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError):
            generator.manual_seed(wrong)  # type: ignore[arg-type]
    assert generator.initial_seed() == 5
    assert take_some(generator) == take_some(seeded(5))


def test_the_default_generator() -> None:
    state = default_generator.get_state()
    try:
        assert manual_seed(-3) is default_generator
        assert default_generator.initial_seed() == 2**64 - 3
        assert take_some(default_generator) == take_some(seeded(-3))
    finally:
        default_generator.set_state(state)


@pytest.mark.parametrize("begin", ["seed", "state"])
def test_a_draw_that_fails_takes_nothing(begin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, reference = seeded(7), seeded(7)
    for each in (generator, reference):
        if begin == "state":
            each.set_state(seeded(-7).get_state())
        each.normal((17,), "float32")
        each.normal((1,), "float64")

    def fail(uniforms: NDArray[Any]) -> NDArray[Any]:
        raise MemoryError

    monkeypatch.setattr(normal_numbers, "of_uniform", fail)
    with pytest.raises(MemoryError):
        generator.normal((2**16 + 3,), "float32")
    assert take_some(generator) == take_some(reference)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copy_goes_on_by_itself(duplicate: Any) -> None:
    generator = seeded(8)
    generator.normal((3,), "float32")
    other = duplicate(generator)
    assert other.initial_seed() == 8
    assert take_some(other) == take_some(generator)


@pytest.mark.parametrize("normals", [0, 1, 2, 15, 700])
def test_a_state_brings_back_the_stream(normals: int) -> None:
    generator = seeded(-2)
    generator.normal((normals,), "float32")
    state = generator.get_state()
    copy = state.copy()
    expected = take_some(generator)
    assert (state == copy).all()

    other = seeded(9)
    other.normal((1,), "float32")
    assert other.set_state(state) is other
    assert other.initial_seed() == 2**64 - 2
    assert take_some(other) == expected
    assert (state == copy).all()


def test_arrays_that_are_no_state_are_refused() -> None:
    generator = seeded(4)
    state = generator.get_state()
    position = state.copy()
    position[1] = 625
    for wrong in (state[:-1], state.astype(np.int64), state.tolist(), 0, position):
        with pytest.raises(ValueError, match="from get_state"):
            generator.set_state(wrong)  # type: ignore[arg-type]
    assert take_some(generator) == take_some(seeded(4))


def test_threads_share_one_stream() -> None:
    generator, reference = seeded(6), seeded(6)
    workers, draws = 8, 100
    drawn: list[bytes] = []
    start = threading.Barrier(workers)

    def work() -> None:
        start.wait()
        for _ in range(draws):
            drawn.append(generator.normal((6,), "float64").tobytes())

    with often_another_thread():
        threads = [threading.Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = [reference.normal((6,), "float64").tobytes() for _ in range(workers * draws)]
    assert sorted(drawn) == sorted(expected)


def test_importing_does_not_pay_for_numpy_random() -> None:
    code = "import sys, tinygrad_mlp.torch.random; print('numpy.random' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], encoding="utf-8") == "False\n"
