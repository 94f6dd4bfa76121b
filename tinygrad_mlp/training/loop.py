"""The training of the two-layer network: epochs, scores, and what a run needs to go on.

Nothing is drawn while it trains: the weights come from the seed, and the order of the rows in an
epoch from the seed and the number of the epoch. So a run that goes on from a checkpoint computes
what it would have computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy import ndarray

from .. import nn, optim
from ..core.tensor import grad
from ..readers.compile import compile
from ..torch.modes import no_grad
from ..torch.random import manual_seed
from ..torch.tensor import Tensor, wrap
from .problems import Problem, words_of

OURS = "tinygrad_mlp"
FORMAT = "tinygrad_mlp train 1"


class Settings(NamedTuple):
    """What a run is, beside its data: two runs of the same settings give the same numbers."""

    hidden: int = 64
    batch: int = 64
    optimizer: str = "adam"  # or "sgd"
    lr: float = 0.01
    momentum: float = 0.9  # of SGD
    dtype: str = "float32"
    seed: int = 0
    compile: bool = True


class Trainer(Protocol):
    """A library that trains the network."""

    def epoch(self, x: ndarray, y: ndarray) -> float:
        """Train on all rows in their order, batch by batch; returns the mean loss of the rows."""

    def outputs(self, x: ndarray) -> ndarray:
        """The network's outputs: logits, or numbers. Shape (rows, outputs)."""


class History(NamedTuple):
    """By epoch: the mean loss over the rows trained on, the validation score, and the time."""

    loss: list[float]
    score: list[float]
    seconds: list[float]


class DivergedError(RuntimeError):
    """A loss that is not finite."""


def network(problem: Problem, settings: Settings) -> nn.Sequential:
    """Linear, sigmoid, Linear: with the weights that PyTorch draws for the same seed."""
    manual_seed(settings.seed)
    width = problem.x.shape[1]
    return nn.Sequential(
        nn.Linear(width, settings.hidden, dtype=settings.dtype),
        nn.Sigmoid(),
        nn.Linear(settings.hidden, problem.outputs, dtype=settings.dtype),
    )


class Ours:
    """The training in this library: on the tape, or with the gradients as one program."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.net = network(problem, settings)
        self.parameters = list(self.net.parameters())
        self.batch = settings.batch
        self.criterion: nn.Module = {
            "classes": nn.CrossEntropyLoss,
            "two classes": nn.BCEWithLogitsLoss,
            "regression": nn.MSELoss,
        }[problem.task]()
        self.optimiser: optim.Optimizer = (
            optim.Adam(self.parameters, lr=settings.lr)
            if settings.optimizer == "adam"
            else optim.SGD(self.parameters, lr=settings.lr, momentum=settings.momentum)
        )
        # A program cannot depend on class indices; their one-hot rows are numbers like others.
        one_hot = settings.compile and problem.task == "classes"
        self.one_hot = np.eye(problem.outputs, dtype=settings.dtype) if one_hot else None
        self.program = compile(self.step, gradients=False, reuse=True) if settings.compile else None

    def step(
        self, x: Tensor, y: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
    ) -> tuple[Tensor, ...]:
        """The loss of a batch, and its gradients for the weights: what is compiled."""
        linear = nn.functional.linear
        loss = self.criterion(linear(linear(x, w1, b1).sigmoid(), w2, b2), y)
        return loss, *grad(loss, [w1, b1, w2, b2])

    def epoch(self, x: ndarray, y: ndarray) -> float:
        """Train on all rows in their order, batch by batch; returns the mean loss of the rows."""
        total = 0.0
        if self.one_hot is not None:
            y = self.one_hot[y]
        for start in range(0, len(x), self.batch):
            rows, wanted = x[start : start + self.batch], y[start : start + self.batch]
            if self.program is None:
                self.optimiser.zero_grad()
                loss = self.criterion(self.net(wrap(rows)), wrap(wanted))
                loss.backward()
            else:
                loss, *gradients = self.program(rows, wanted, *(p._array for p in self.parameters))
                for p, g in zip(self.parameters, gradients):
                    p.grad = wrap(g)
            self.optimiser.step()
            total += float(loss) * len(rows)
        return total / len(x)

    def outputs(self, x: ndarray) -> ndarray:
        """The network's outputs: logits, or numbers. Shape (rows, outputs)."""
        with no_grad():
            out: Tensor = self.net(wrap(x))
        return out.numpy()


def score(problem: Problem, out: ndarray) -> float:
    """The accuracy on the rows for validation or, of a regression, R², the mean over its outputs.

    R² = 1 − Σ (y − out)² / Σ (y − ȳ)²: 1 for a perfect fit, 0 for that of the mean ȳ.
    """
    y = problem.valid_y
    if not np.isfinite(out).all():
        return float("nan")
    if problem.task == "regression":
        y = y.astype(np.float64)
        left, all_of = ((y - out) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
        return float((1 - left / all_of).mean())
    found = out.argmax(1) if problem.task == "classes" else out > 0
    return float((found == y).mean())


class Run:
    """A training under way: its weights, what its optimiser keeps, and its history.

    ``rivals`` are other libraries' trainers, by name, which are given the same rows in the same
    order; they take turns, so that what slows the machine down slows them all.
    """

    def __init__(
        self, problem: Problem, settings: Settings, rivals: Mapping[str, Trainer] | None = None
    ) -> None:
        self.problem = problem
        self.settings = settings
        self.ours = Ours(problem, settings)
        self.trainers: dict[str, Trainer] = {OURS: self.ours, **(rivals or {})}
        self.histories = {name: History([], [], []) for name in self.trainers}
        self.best_epoch = 0
        self.best_weights = weights_of(self.ours.net)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.histories[OURS].loss)

    def best_score(self, name: str = OURS) -> float:
        """The best validation score so far."""
        return max(self.histories[name].score, default=float("nan"))

    def advance(self) -> None:
        """Train for an epoch; DivergedError if the loss is not finite any more."""
        problem, number = self.problem, self.epoch
        words = [*words_of(self.settings.seed), number]
        order = np.random.RandomState(words).permutation(len(problem.x))
        x, y = problem.x[order], problem.y[order]
        found = {}
        # In an order of its own in each epoch, so that none always comes after the same other.
        for name, trainer in Random(number).sample(list(self.trainers.items()), len(self.trainers)):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                start = perf_counter()
                loss = trainer.epoch(x, y)
                seconds = perf_counter() - start
                found[name] = loss, score(problem, trainer.outputs(problem.valid_x)), seconds
        if not np.isfinite(found[OURS][:2]).all():
            raise DivergedError(
                f"the loss is {found[OURS][0]} in epoch {number + 1}; choose a smaller --lr than "
                f"{self.settings.lr:g}"
            )
        if not self.epoch or found[OURS][1] > self.best_score():
            self.best_epoch, self.best_weights = number + 1, weights_of(self.ours.net)
        for name, values in found.items():
            for history, value in zip(self.histories[name], values):
                history.append(value)

    def state(self) -> dict[str, Any]:
        """All that it takes to go on, for ``save``."""
        return {
            "format": FORMAT,
            "settings": self.settings._asdict(),
            "data": {"name": self.problem.name, "sha256": self.problem.digest()},
            "history": self.histories[OURS]._asdict(),
            "net": self.ours.net.state_dict(),
            "optimizer": self.ours.optimiser.state_dict(),
            "best": {"epoch": self.best_epoch, "net": self.best_weights},
        }

    def restore(self, state: Any) -> None:
        """Go on from what ``state`` gave; ValueError, and nothing changed, if it does not fit."""
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError("it is not a checkpoint of this command")
        heir = Ours(self.problem, self.settings)
        try:
            differences = [
                f"--{name} {there} there and {mine} here"
                for name, mine in self.settings._asdict().items()
                if (there := state["settings"][name]) != mine
            ]
            if state["data"]["sha256"] != self.problem.digest():
                differences.insert(0, f"other rows of {state['data']['name']} there")
            if differences:
                raise ValueError("; ".join(differences))
            heir.net.load_state_dict(state["best"]["net"])
            heir.net.load_state_dict(state["net"])
            heir.optimiser.load_state_dict(state["optimizer"])
            history = History(*(list(map(float, state["history"][k])) for k in History._fields))
            best_epoch, best = int(state["best"]["epoch"]), dict(state["best"]["net"])
            if not len(history.loss) == len(history.score) == len(history.seconds) >= best_epoch:
                raise ValueError("its history has gaps")
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            why = f"there is no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"it does not fit: {why}") from None
        self.ours = self.trainers[OURS] = heir
        self.histories[OURS] = history
        self.best_epoch, self.best_weights = best_epoch, best


def weights_of(net: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights, by name."""
    return {name: p.clone() for name, p in net.state_dict().items()}
