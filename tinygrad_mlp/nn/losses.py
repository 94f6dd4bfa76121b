"""Losses: Modules that take an output and its target to what training makes small."""

from __future__ import annotations

from ..torch.tensor import Tensor
from . import functional
from .module import Module


class MSELoss(Module):
    """The mean of (x − y)², their sum, or with "none" each: ``functional.mse_loss``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.MSELoss(reduction="sum")(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]))
    tensor(4.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        functional.require_reduction("MSELoss", reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """The loss of a yes or no, for logits: ``functional.binary_cross_entropy_with_logits``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.BCEWithLogitsLoss()(tg.tensor([0.0]), tg.tensor([1.0]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        functional.require_reduction("BCEWithLogitsLoss", reduction)
        self.reduction = reduction
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class CrossEntropyLoss(Module):
    """The loss of one class out of several, for logits: ``functional.cross_entropy``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.CrossEntropyLoss()(tg.tensor([[0.0, 0.0]]), tg.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        functional.require_reduction("CrossEntropyLoss", reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
