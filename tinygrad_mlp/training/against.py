"""The same training in other libraries: the same network, weights and batches, side by side.

Each is written as its users write it, and takes what it needs from the network of this library.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
from numpy import ndarray

from ..nn import Sequential
from .loop import Settings, Trainer, network
from .problems import Problem


class PyTorch:
    """The training in PyTorch."""

    def __init__(self, problem: Problem, settings: Settings, net: Sequential) -> None:
        torch = self.torch = import_module("torch")
        width, hidden = problem.x.shape[1], settings.hidden
        self.net = torch.nn.Sequential(
            torch.nn.Linear(width, hidden),
            torch.nn.Sigmoid(),
            torch.nn.Linear(hidden, problem.outputs),
        ).to(getattr(torch, settings.dtype))
        self.net.load_state_dict(
            {name: torch.tensor(np.array(p)) for name, p in net.state_dict().items()}
        )
        self.criterion = {
            "classes": torch.nn.CrossEntropyLoss,
            "two classes": torch.nn.BCEWithLogitsLoss,
            "regression": torch.nn.MSELoss,
        }[problem.task]()
        self.optimizer = (
            torch.optim.Adam(self.net.parameters(), lr=settings.lr)
            if settings.optimizer == "adam"
            else torch.optim.SGD(self.net.parameters(), lr=settings.lr, momentum=settings.momentum)
        )
        self.batch = settings.batch

    def epoch(self, x: ndarray, y: ndarray) -> float:
        """Train on all rows in their order, batch by batch; returns the mean loss of the rows."""
        inputs, targets, total = self.torch.from_numpy(x), self.torch.from_numpy(y), 0.0
        for rows, wanted in zip(inputs.split(self.batch), targets.split(self.batch)):
            self.optimizer.zero_grad()
            loss = self.criterion(self.net(rows), wanted)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        return total / len(x)

    def outputs(self, x: ndarray) -> ndarray:
        """The network's outputs: logits, or numbers. Shape (rows, outputs)."""
        with self.torch.no_grad():
            return np.asarray(self.net(self.torch.tensor(x)).numpy())


class ScikitLearn:
    """The training in scikit-learn: MLPClassifier or MLPRegressor with activation="logistic".

    ``partial_fit`` on all rows is one epoch, in the order given where it does not shuffle, and
    keeps what the optimiser knows from one to the next. Of a regression, its loss is half of the
    mean of the squares, and its gradient half of their sum over the outputs, divided by the rows;
    its learning rate, and the ε of Adam, are set to make up for that.
    """

    def __init__(self, problem: Problem, settings: Settings, net: Sequential) -> None:
        regression = problem.task == "regression"
        self.factor = 2 if regression else 1
        scale = problem.outputs / 2 if regression else 1.0  # its gradients by ours
        adam = settings.optimizer == "adam"
        options: dict[str, Any] = {
            "hidden_layer_sizes": (settings.hidden,),
            "activation": "logistic",
            "solver": settings.optimizer,
            "alpha": 0.0,
            "batch_size": min(settings.batch, len(problem.x)),
            "learning_rate_init": settings.lr if adam else settings.lr / scale,
            "momentum": settings.momentum,
            "nesterovs_momentum": False,
            "epsilon": 1e-8 * scale,
            "shuffle": False,
        }
        kind = "MLPRegressor" if regression else "MLPClassifier"
        self.model = getattr(import_module("sklearn.neural_network"), kind)(**options)
        self.classes = None if regression else np.arange(len(problem.classes or ()))
        # The first call makes the arrays and takes a step; what it leaves is put right after it.
        few = slice(max(2, options["batch_size"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.fit(problem.x[few], problem.y[few])
        first, _, last = net
        self.model.coefs_ = [np.array(layer.weight.detach().T) for layer in (first, last)]
        self.model.intercepts_ = [np.array(layer.bias.detach()) for layer in (first, last)]
        self.model.loss_curve_, self.model.best_loss_ = [], np.inf
        self.model.n_iter_ = self.model.t_ = self.model._no_improvement_count = 0
        del self.model._optimizer

    def fit(self, x: ndarray, y: ndarray) -> None:
        if self.classes is None:
            self.model.partial_fit(x, y[:, 0] if y.shape[1] == 1 else y)
        else:
            self.model.partial_fit(x, y.reshape(-1).astype(np.int64), classes=self.classes)

    def epoch(self, x: ndarray, y: ndarray) -> float:
        """Train on all rows in their order, batch by batch; returns the mean loss of the rows."""
        try:
            self.fit(x, y)
        except ValueError:  # its weights are not finite any more
            return float("nan")
        return self.factor * float(self.model.loss_)

    def outputs(self, x: ndarray) -> ndarray:
        """The network's outputs: logits, or numbers. Shape (rows, outputs)."""
        (w1, w2), (b1, b2) = self.model.coefs_, self.model.intercepts_
        return np.asarray(1 / (1 + np.exp(-(x @ w1 + b1))) @ w2 + b2)


TRAINERS: dict[str, tuple[str, Callable[[Problem, Settings, Sequential], Trainer]]] = {
    "torch": ("PyTorch", PyTorch),
    "sklearn": ("scikit-learn", ScikitLearn),
}


def check_names(names: Iterable[str]) -> None:
    """ValueError where there is no trainer of one of these names."""
    for name in names:
        if name not in TRAINERS:
            raise ValueError(f"--against: {name!r} is not one of {', '.join(TRAINERS)}")


def rivals(names: Iterable[str], problem: Problem, settings: Settings) -> dict[str, Trainer]:
    """The trainers of these names, by their titles; ImportError where one is not installed."""
    found = {}
    for name in dict.fromkeys(names):
        title, make = TRAINERS[name]
        found[title] = make(problem, settings, network(problem, settings))
    return found
