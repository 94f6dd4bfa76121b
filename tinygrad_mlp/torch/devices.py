"""The device of a Tensor, which is always the CPU, for code that asks or says where it runs."""

from __future__ import annotations

from reprlib import repr as brief
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from typing import Protocol

    class Device(Protocol):
        """A device, of this package or PyTorch's."""

        type: str
        index: int | None

    DeviceLike = str | Device

KINDS = ("cpu", "cuda", "mps", "xpu", "meta", "hpu", "mtia", "xla", "vulkan", "privateuseone")


class device:
    """Where Tensors are: ``device("cpu")``, as ``torch.device``; there is no other.

    RuntimeError for another device, TypeError for what is no device.

    >>> import tinygrad_mlp as tg
    >>> tg.device("cuda" if tg.cuda.is_available() else "cpu")
    device(type='cpu')
    >>> tg.zeros(2, device="cpu").device == tg.device("cpu")
    True
    """

    __slots__ = ("index", "type")

    def __init__(self, type: DeviceLike, index: int | None = None) -> None:
        if not isinstance(type, str) and hasattr(type, "type"):
            index, type = type.index, type.type
        if not isinstance(type, str):
            raise TypeError(f"device: a name as 'cpu' is needed, not {brief(type)}")
        kind, _, number = type.partition(":")
        if kind not in KINDS or (number and not number.isdecimal()):
            raise RuntimeError(f"device: {brief(type)} is not a device; the only one is 'cpu'")
        if kind != "cpu":
            raise RuntimeError(
                f"device: there is no {kind!r} here, as everything runs on the CPU; use 'cpu'"
            )
        self.type = kind
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        return f"device(type='cpu'{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cpu:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.index == other.index

    def __hash__(self) -> int:
        return hash(("cpu", self.index))


CPU = device("cpu")


def require_cpu(given: DeviceLike | None) -> None:
    """RuntimeError for a device= that is not the CPU, TypeError for what is no device."""
    if given is not None:
        device(given)


def is_device(value: object) -> bool:
    """Whether this is where a Tensor might be, rather than a dtype."""
    if isinstance(value, str):
        return value.partition(":")[0] in KINDS
    return isinstance(value, device) or (hasattr(value, "type") and hasattr(value, "index"))


class Absent:
    """A kind of device that is not here: what PyTorch's code asks before it uses one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def is_available(self) -> bool:
        """False."""
        return False

    def device_count(self) -> int:
        """0."""
        return 0

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{self.kind}.{name} is not here, as everything runs on the CPU; "
            f"the nearest is {self.kind}.is_available(), which is False"
        )


cuda, accelerator, mps, xpu = map(Absent, ("cuda", "accelerator", "mps", "xpu"))
