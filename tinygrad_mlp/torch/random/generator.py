"""What a program draws random numbers from: a Generator of its own, or the default one."""

from __future__ import annotations

import operator
from _thread import RLock  # which threading has too, but takes longer to import
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from reprlib import repr as brief
from typing import TYPE_CHECKING

import numpy as np

from ...core.tape import current
from ..accepts import as_float
from ..fused import multiply_add
from . import integers
from .normal import fill_normal
from .stream import Stream
from .uniform import fill

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Floats = NDArray[np.floating]


class Generator:
    """A stream of random numbers: the counterpart of ``torch.Generator``.

    A new one is seeded with 67280421310721, as PyTorch's is. Threads may share one: each call
    takes its numbers in one piece. A call that raises takes none.

    >>> Generator().manual_seed(0).uniform((2,), "float32")
    array([0.4962566, 0.7682218], dtype=float32)
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._stream = Stream(67280421310721)

    def __reduce__(
        self,
    ) -> tuple[Callable[[NDArray[np.uint64]], Generator], tuple[NDArray[np.uint64]]]:
        return _at, (self.get_state(),)

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
        self._begin(Stream(seed % 2**64))
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
        with self._drawing() as stream:
            return stream.state()

    def set_state(self, state: NDArray[np.uint64]) -> Generator:
        """Go back to a snapshot that `get_state` took and return the generator itself.

        Raises ValueError if ``state`` cannot come from there.

        >>> Generator().set_state(Generator().manual_seed(3).get_state()).initial_seed()
        3
        """
        state = np.array(state)
        if state.shape != (627,) or state.dtype != np.uint64 or state[1] > 624:
            raise ValueError("set_state: pass the uint64 array of shape (627,) from get_state")
        self._begin(Stream(int(state[0]), state))
        return self

    def uniform(self, shape: tuple[int, ...], dtype: DTypeLike) -> Floats:
        """Numbers from [0, 1), as ``torch.rand``: a new array of that shape and dtype.

        ``dtype`` is float32 (24 random bits from one 32-bit word) or float64 (53 bits from
        two, the high word first); both equal PyTorch's bit for bit. Raises TypeError for
        another dtype, ValueError for a negative size.

        >>> Generator().manual_seed(0).uniform((1, 2), "float64")
        array([[0.970053  , 0.70781986]])
        """
        out = _new("uniform", shape, dtype)
        with self._drawing() as stream:
            fill(out.reshape(-1), stream)
        return out

    def normal(self, shape: tuple[int, ...], dtype: DTypeLike) -> Floats:
        """Numbers from N(0, 1), as ``torch.randn``: a new array of that shape and dtype.

        ``dtype`` is float32 or float64; raises as `uniform` does. Fewer than 16 numbers are
        made one by one in double precision, 16 or more in blocks of 16 in ``dtype``: 8 radii,
        then their 8 angles. Float32 equals PyTorch's bit for bit where PyTorch uses AVX2 or
        AVX512; float64 does where both call the same C library.

        >>> Generator().manual_seed(0).normal((2,), "float32")
        array([ 1.5409961, -0.2934289], dtype=float32)
        """
        out = _new("normal", shape, dtype)
        with self._drawing() as stream:
            fill_normal(out.reshape(-1), stream)
        return out

    def uniform_between(
        self, low: float, high: float, shape: tuple[int, ...], dtype: DTypeLike
    ) -> Floats:
        """Numbers from ``low`` to ``high``, as ``Tensor.uniform_`` of PyTorch, bit for bit.

        Raises as `uniform` does.

        >>> Generator().manual_seed(0).uniform_between(-1, 1, (2,), "float32")
        array([-0.00748682,  0.5364436 ], dtype=float32)
        """
        out = _new("uniform", shape, dtype)
        low = as_float("uniform", "low", low, out.dtype)
        high = as_float("uniform", "high", high, out.dtype)
        first, last = out.dtype.type(low), out.dtype.type(high)
        with self._drawing() as stream:
            fill(out.reshape(-1), stream)
            return multiply_add(out, last - first, first)

    def normal_around(
        self, mean: float, std: float, shape: tuple[int, ...], dtype: DTypeLike
    ) -> Floats:
        """Numbers from N(mean, std²), as ``Tensor.normal_`` of PyTorch, bit for bit as `normal` is.

        Raises as `normal` does, and ValueError for a negative ``std``.

        >>> Generator().manual_seed(0).normal_around(1, 2, (2,), "float32")
        array([4.081992  , 0.41314217], dtype=float32)
        """
        out = _new("normal", shape, dtype)
        mean = as_float("normal", "mean", mean, out.dtype)
        std = as_float("normal", "std", std, out.dtype)
        if not std >= 0:
            raise ValueError(f"normal: std is 0 or more, not {std}")
        drawn = np.empty(shape) if out.size < 16 else out
        kind = drawn.dtype.type
        with self._drawing() as stream:
            fill_normal(drawn.reshape(-1), stream)
            return np.asarray(multiply_add(drawn, kind(std), kind(mean)), out.dtype)

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
        with self._drawing() as stream:
            return integers.between(stream, low, high, shape)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers from 0 up to but without ``n`` in random order, as ``torch.randperm``.

        Raises ValueError for a negative ``n``.

        >>> Generator().manual_seed(0).permutation(4)
        array([0, 1, 3, 2])
        """
        n = operator.index(n)
        if n < 0:
            raise ValueError(f"randperm: n is 0 or more, not {n}")
        with self._drawing() as stream:
            return integers.permutation(stream, n)

    def _begin(self, stream: Stream) -> None:
        with self._lock:
            self._stream = stream

    @contextmanager
    def _drawing(self) -> Iterator[Stream]:
        """The stream, for one thread at a time; what was drawn goes back if something is raised."""
        with self._lock:
            stream = self._stream
            place = stream.place()
            try:
                yield stream
            except BaseException:
                stream.go_back(place)
                raise


def _at(state: NDArray[np.uint64]) -> Generator:
    return Generator().set_state(state)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed `default_generator` and return it: `Generator.manual_seed` says with what.

    Unlike PyTorch's, which starts differently in each process, it starts as any `Generator`.

    >>> manual_seed(0) is default_generator
    True
    """
    return default_generator.manual_seed(seed)


def _new(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Floats:
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


def source(caller: str, generator: Generator | None) -> Generator:
    """Where the random numbers come from."""
    if current().tracing:
        raise RuntimeError(
            f"{caller}: a compiled program would use the same numbers in every call; "
            "draw them outside, and pass them as an argument"
        )
    return default_generator if generator is None else generator
