"""PyTorch's CPU random numbers, on NumPy arrays.

The engine is MT19937, seeded as ``numpy.random.RandomState`` seeds it. How its 32-bit words
become uniforms and normals follows PyTorch 2.13: the same seed and the same calls give the
numbers of ``torch.rand`` and ``torch.randn``.
"""

from __future__ import annotations

import math
import operator
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.atomic import swap
from ..core.tape import is_tracing

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from .tensor import Tensor

    Array = NDArray[Any]

__all__ = ["Generator", "default_generator", "manual_seed"]


class Generator:
    """A stream of random numbers: the counterpart of ``torch.Generator``.

    A new one is seeded with 67280421310721, as PyTorch's is. Threads may share one: each call
    takes its numbers in one piece. A call that raises takes none.

    >>> Generator().manual_seed(0).uniform((2,), "float32")
    array([0.4962566, 0.7682218], dtype=float32)
    """

    def __init__(self) -> None:
        self._alone = _one_at_a_time()
        self._stream = _Stream(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed`` and return the generator itself.

        As in PyTorch, ``seed`` lies between -2**63 and 2**64 - 1, a negative one stands for
        ``seed + 2**64``, and the engine sees the low 32 bits only. Raises ValueError outside
        that range, TypeError for anything but an integer.

        >>> Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed: a seed is an int, not {type(seed).__name__}") from None
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed: {seed} is not between -2**63 and 2**64 - 1")
        self._set(_Stream(seed % 2**64))
        return self

    def initial_seed(self) -> int:
        """The seed of the stream, from 0 to 2**64 - 1.

        >>> Generator().manual_seed(7).initial_seed()
        7
        """
        return self._stream.seed

    def get_state(self) -> NDArray[np.uint64]:
        """A snapshot for `set_state`: a new uint64 array of shape (627,), its layout private.

        >>> generator = Generator()
        >>> state = generator.get_state()
        >>> first = generator.normal((3,), "float32")
        >>> bool((generator.set_state(state).normal((3,), "float32") == first).all())
        True
        """
        found: NDArray[np.uint64] = self._draw(_Stream.state)
        return found

    def set_state(self, state: NDArray[np.uint64]) -> Generator:
        """Go back to a snapshot that `get_state` took and return the generator itself.

        Raises ValueError if ``state`` cannot come from there.

        >>> Generator().set_state(Generator().manual_seed(3).get_state()).initial_seed()
        3
        """
        state = np.array(state)
        if state.shape != (627,) or state.dtype != np.uint64 or state[1] > 624:
            raise ValueError("set_state: pass the uint64 array of shape (627,) from get_state")
        kept = float(state[2].view(np.float64))
        self._set(_Stream(int(state[0]), state, 0, None if math.isnan(kept) else kept))
        return self

    def uniform(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Numbers from [0, 1), as ``torch.rand``: a new array of that shape and dtype.

        ``dtype`` is float32 (24 random bits from one 32-bit word) or float64 (53 bits from
        two, the high word first); both equal PyTorch's bit for bit. Raises TypeError for
        another dtype, ValueError for a negative size.

        >>> Generator().manual_seed(0).uniform((1, 2), "float64")
        array([[0.970053  , 0.70781986]])
        """
        out = _new("uniform", shape, dtype)
        self._draw(_Stream.fill, out.reshape(-1))
        return out

    def normal(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Numbers from N(0, 1), as ``torch.randn``: a new array of that shape and dtype.

        ``dtype`` is float32 or float64; raises as `uniform` does. Fewer than 16 numbers are
        made one by one in double precision, 16 or more in blocks of 16 in ``dtype``: 8 radii,
        then their 8 angles. Float32 equals PyTorch's bit for bit where PyTorch uses AVX2 or
        AVX512; float64 does where both call the same C library.

        >>> Generator().manual_seed(0).normal((2,), "float32")
        array([ 1.5409961, -0.2934289], dtype=float32)
        """
        out = _new("normal", shape, dtype)
        flat = out.reshape(-1)
        if out.size < 16:
            flat[:] = self._draw(_Stream.normals, out.size)
            return out
        rest = out.size % 16
        last = np.empty(16 if rest else 0, out.dtype)
        self._draw(_Stream.fill, flat, last)
        for block in _blocks(flat[: out.size - rest]):
            block[:] = _box_muller(block)
        if rest:
            flat[-16:] = _box_muller(last)
        return out

    def uniform_between(
        self, low: float, high: float, shape: tuple[int, ...], dtype: DTypeLike
    ) -> Array:
        """Numbers from ``low`` to ``high``, as ``Tensor.uniform_`` of PyTorch, bit for bit.

        Raises as `uniform` does.

        >>> Generator().manual_seed(0).uniform_between(-1, 1, (2,), "float32")
        array([-0.00748682,  0.5364436 ], dtype=float32)
        """
        low, high = _number("uniform", low), _number("uniform", high)
        out = self.uniform(shape, dtype)
        low, high = out.dtype.type(low), out.dtype.type(high)
        return np.asarray(_multiply_add(out, high - low, low))

    def normal_around(
        self, mean: float, std: float, shape: tuple[int, ...], dtype: DTypeLike
    ) -> Array:
        """Numbers from N(mean, std²), as ``Tensor.normal_`` of PyTorch, bit for bit as `normal` is.

        Raises as `normal` does, and ValueError for a negative ``std``.

        >>> Generator().manual_seed(0).normal_around(1, 2, (2,), "float32")
        array([4.081992  , 0.41314217], dtype=float32)
        """
        mean, std = _number("normal", mean), _number("normal", std)
        if not std >= 0:
            raise ValueError(f"normal: std is 0 or more, not {std}")
        out = _new("normal", shape, dtype)
        if out.size < 16:
            drawn = self.normal(shape, np.float64)
            return np.asarray(_multiply_add(drawn, np.float64(std), np.float64(mean)), out.dtype)
        drawn = self.normal(shape, dtype)
        return np.asarray(_multiply_add(drawn, out.dtype.type(std), out.dtype.type(mean)))

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Whole numbers from ``low`` up to but without ``high``, as ``torch.randint``.

        Raises ValueError where there are none, and for a negative size.

        >>> Generator().manual_seed(0).integers(0, 10, (4,))
        array([4, 9, 3, 0])
        """
        low, high = operator.index(low), operator.index(high)
        if not -(2**63) <= low < high <= 2**63:
            raise ValueError(f"randint: there is no int64 from {low} up to but without {high}")
        if min(shape, default=0) < 0:
            raise ValueError(f"randint: shape {shape} has a negative size; sizes are 0 or more")
        # As PyTorch: one 32-bit word each, or for wider ranges two.
        bits = 32 if high - low < 2**28 else 64
        words = self._draw(_Stream.words_of, shape, bits)
        drawn = np.asarray(words, np.uint64) % np.uint64(high - low)
        return np.asarray(drawn.astype(np.int64) + np.int64(low))

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers from 0 up to but without ``n`` in random order, as ``torch.randperm``.

        Raises ValueError for a negative ``n``.

        >>> Generator().manual_seed(0).permutation(4)
        array([0, 1, 3, 2])
        """
        n = operator.index(n)
        if n < 0:
            raise ValueError(f"randperm: n is 0 or more, not {n}")
        words = self._draw(_Stream.words_of, max(n - 1, 0), 32).tolist()
        order = list(range(n))
        for i, word in enumerate(words):
            j = i + word % (n - i)
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)

    def _set(self, stream: _Stream) -> None:
        self._alone(setattr, self, "_stream", stream)

    def _draw(self, draw: Callable[..., Any], *args: Any) -> Any:
        return self._alone(self._drawn, draw, *args)

    def _drawn(self, draw: Callable[..., Any], *args: Any) -> Any:
        now = self._stream
        ahead = now.moving()
        # Should the draw fail, this is where the stream still is, without the engine that moves.
        self._stream = stays = now.still()
        result = draw(ahead, *args)
        # The move comes last: an interrupt after it would take the numbers along.
        return result if swap([self], ["_stream"], [stays], [ahead]) else None


def _one_at_a_time() -> Callable[..., Any]:
    """A function that calls another, while no other thread calls one through it.

    No line of this module stands between taking the lock and giving it back: contextlib does both
    around the call, so that no interrupt can leave it locked.
    """
    lock = allocate_lock()
    ends = {"__enter__": lock.acquire, "__exit__": lock.__exit__}
    alone: Any = type("alone", (ContextDecorator,), ends)()
    call: Callable[..., Any] = alone(lambda function, *args: function(*args))
    return call


class _Stream:
    """A place in the stream of a seed: where it began, and how many 32-bit words have gone by."""

    def __init__(
        self,
        seed: int,
        origin: NDArray[np.uint64] | None = None,
        words: int = 0,
        kept: float | None = None,
        engine: np.random.RandomState | None = None,
    ) -> None:
        self.seed = seed
        self.origin = origin  # a state to begin with in place of the seed's
        self.words = words
        self.kept = kept  # a normal number that was made together with another one
        # Importing numpy.random is slow, so the engine waits for the first draw.
        self.engine = engine

    def moving(self) -> _Stream:
        """The same, with an engine that is there."""
        engine = self.engine
        if engine is None:
            engine = np.random.RandomState(self.seed % 2**32)
            if self.origin is not None:
                key = self.origin[3:].astype(np.uint32)
                engine.set_state(("MT19937", key, int(self.origin[1]), 0, 0.0))
            for start in range(0, self.words, 2**20):
                engine.bytes(4 * min(2**20, self.words - start))
        return _Stream(self.seed, self.origin, self.words, self.kept, engine)

    def still(self) -> _Stream:
        """The same, without the engine."""
        return _Stream(self.seed, self.origin, self.words, self.kept)

    def state(self) -> NDArray[np.uint64]:
        assert self.engine is not None
        engine: Any = self.engine.get_state(legacy=False)["state"]
        kept = np.float64(math.nan if self.kept is None else self.kept)
        head = [self.seed, engine["pos"], kept.view(np.uint64)]
        return np.array([*head, *engine["key"]], np.uint64)

    def fill(self, *arrays: Array) -> None:
        """Uniform numbers into flat arrays."""
        for flat in arrays:
            bits = np.finfo(flat.dtype).nmant + 1
            for block in _blocks(flat):
                words = self.words_of(block.size, 8 * flat.itemsize)
                block[:] = (words & (2**bits - 1)) * 2.0**-bits

    def words_of(self, shape: int | tuple[int, ...], bits: int) -> Array:
        """Whole numbers of so many bits, 32 or 64."""
        assert self.engine is not None
        word: Any = f"u{bits // 8}"
        drawn: Array = self.engine.randint(0, 2**bits, shape, word)
        self.words += drawn.size * (bits // 32)
        return drawn

    def normals(self, n: int) -> list[float]:
        """Normal numbers, one by one."""
        # The zeros added are PyTorch's mean, which turns a -0.0 into 0.0.
        return [self.normal() + 0 for _ in range(n)]

    def normal(self) -> float:
        if self.kept is not None:
            value, self.kept = self.kept, None
            return value
        pair = np.empty(2)
        self.fill(pair)
        u1, u2 = pair.tolist()
        radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
        self.kept = radius * math.sin(angle)
        return radius * math.cos(angle)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed `default_generator` and return it: `Generator.manual_seed` says with what.

    Unlike PyTorch's, which starts differently in each process, it starts as any `Generator`.

    >>> manual_seed(0) is default_generator
    True
    """
    return default_generator.manual_seed(seed)


def _number(name: str, x: float) -> float:
    try:
        return float(x)
    except OverflowError:
        raise ValueError(f"{name}: a number is too large for a float") from None


def _new(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    # None is float64 to NumPy but the default dtype to PyTorch, so here it is neither.
    try:
        known = dtype is not None and np.dtype(dtype) in (np.float32, np.float64)
    except (TypeError, ValueError, RecursionError):
        known = False
    if not known:
        raise TypeError(
            f"{name}: dtype {brief(dtype)} is not float32 or float64; draw one and convert it"
        )
    if min(shape, default=0) < 0:
        raise ValueError(f"{name}: shape {shape} has a negative size; sizes are 0 or more")
    return np.empty(shape, dtype)


def _blocks(flat: Array) -> Iterator[Array]:
    # Short enough for the temporaries of a block to stay in the cache; a multiple of 16.
    size = 2**15
    return (flat[start : start + size] for start in range(0, flat.size, size))


def _box_muller(uniforms: Array) -> Array:
    u1, u2 = uniforms.reshape(-1, 2, 8).swapaxes(0, 1)
    log, sin_cos = (_log32, _sin_cos32) if uniforms.dtype == np.float32 else (_log64, _sin_cos64)
    radius = np.sqrt(-2 * log(1 - u1))
    sin, cos = sin_cos(2 * math.pi * u2)
    return np.stack([radius * cos, radius * sin], axis=1).reshape(-1) + 0


# NumPy's own logarithm is at times one unit in the last place away from the C library's.
_log64 = np.vectorize(math.log, otypes=[np.float64])


def _sin_cos64(x: Array) -> tuple[Array, Array]:
    return np.sin(x), np.cos(x)


# x y + z rounded once, as a processor with FMA does it. What is exact has to be kept in two numbers
# until the end; rounding to odd before it then keeps the last rounding right (Boldo and Melquiond,
# Emulation of FMA and correctly rounded sums, 2008).


def _multiply_add(x: Array, y: Any, z: Any) -> Any:
    if x.dtype == np.float32:
        return _to_odd(np.multiply(x, y, dtype=np.float64), np.float64(z)).astype(np.float32)
    product = x * y
    (a, b), (c, d) = _halves(x), _halves(y)
    error = b * d - (((product - a * c) - b * c) - a * d)
    high, low = _two_sum(z, error)
    total, rest = _two_sum(product, high)
    return total + _to_odd(rest, low)


def _halves(x: Any) -> tuple[Any, Any]:
    high = x * (2**27 + 1)
    high -= high - x
    return high, x - high


def _two_sum(x: Any, y: Any) -> tuple[Any, Any]:
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _to_odd(x: Any, y: Any) -> Array:
    total, error = _two_sum(x, y)
    even = total.view(np.int64) & 1 == 0
    odd: Array = np.nextafter(total, np.copysign(np.inf, error))
    return np.asarray(np.where((error != 0) & even, odd, total))


# PyTorch's float32 kernels are the polynomials of Moshier's Cephes library, each product fused
# with the sum that takes it. Followed step by step, they give the same bits on any machine.
_LOG = np.array([
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
], np.float32)  # fmt: skip
_LN2 = np.array([-2.12194440e-4, 0.693359375], np.float32)
_PI_4 = np.array([0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8], np.float32)
_SIN = np.array([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1], np.float32)
_COS = np.array([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2], np.float32)


def _fused(a: Any, b: Any, c: Any) -> Array:
    return np.asarray(np.multiply(a, b, dtype=np.float64) + c, np.float32)


def _polynomial(coefficients: Array, x: Array) -> Array:
    value: Array = coefficients[:1]
    for coefficient in coefficients[1:]:
        value = _fused(value, x, coefficient)
    return value


def _log32(x: Array) -> Array:
    m, e = np.frexp(x)  # x = m * 2**e
    low = m < np.float32(math.sqrt(0.5))
    e = (e - low).astype(np.float32)
    m = np.where(low, m - 1 + m, m - 1)
    z = m * m
    y = _fused(_polynomial(_LOG, m) * m, z, e * _LN2[0])
    y = _fused(z, np.float32(-0.5), y)
    return _fused(e, _LN2[1], m + y)


def _sin_cos32(x: Array) -> tuple[Array, Array]:
    octant = (x * np.float32(4 / math.pi)).astype(np.int32) + 1 & -2
    for part in _PI_4:
        x = _fused(octant.astype(np.float32), -part, x)
    z = x * x
    sin = _fused(_polynomial(_SIN, z) * z, x, x)
    cos = _fused(_polynomial(_COS, z) * z, z, z * np.float32(-0.5)) + 1
    swap = octant & 2 != 0
    sin, cos = np.where(swap, cos, sin), np.where(swap, sin, cos)
    return np.where(octant & 4, -sin, sin), np.where(octant + 2 & 4, -cos, cos)


def source(caller: str, generator: Generator | None) -> Generator:
    """Where the random numbers come from."""
    if is_tracing.get():
        raise RuntimeError(
            f"{caller}: a compiled program would use the same numbers in every call; "
            "draw them outside, and pass them as an argument"
        )
    return default_generator if generator is None else generator


def uniform_(
    input: Tensor, low: float = 0, high: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Become uniform random numbers from ``low`` to ``high``, PyTorch's for the same seed."""
    drawn = source("uniform_", generator).uniform_between(low, high, input.shape, input.dtype)
    return input.copy_(drawn)


def normal_(
    input: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Become normal random numbers of this mean and standard deviation, PyTorch's."""
    drawn = source("normal_", generator).normal_around(mean, std, input.shape, input.dtype)
    return input.copy_(drawn)
