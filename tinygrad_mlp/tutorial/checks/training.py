"""Notebook 5: training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn, optim
from ...torch.creation import tensor
from .verdict import UNFILLED, AnswerError, close, exercise, near, number


@exercise
def accuracy(function: Any) -> str:
    """Notebook 5: the share of right answers."""
    scores = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 5.0], [0.0, 3.0, 1.0], [1.0, 0.5, 0.0]])
    labels = np.array([0, 2, 0, 1])  # of the answers 0, 2, 1 and 0, two are right
    found = function(scores, labels)
    if np.shape(found) != () and found is not ...:
        raise AnswerError("This is one answer for each picture. Take their mean.")
    share = number(found, "What it returns")
    for wrong, message in {
        2.0: "This is how many are right. As a share: divide by how many there are, or use mean().",
        50.0: "This is in percent. The share is a number from 0 to 1.",
    }.items():
        if near(share, wrong):
            raise AnswerError(message)
    if near(share, 0.5) and near(number(function(scores[:3], labels[:3]), "It"), 1 / 3):
        raise AnswerError("This is the share of wrong answers.")
    if not (near(share, 0.5) and near(number(function(scores[:3], labels[:3]), "It"), 2 / 3)):
        raise AnswerError(f"Of four pictures of which two are right it makes {share}, not 0.5.")
    return "Right."


@exercise
def step(function: Any) -> str:
    """Notebook 5: a step of training."""
    x = tensor(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    target = tensor(np.array([0, 1, 1]))
    net = nn.Linear(2, 2).double()
    weight = np.array([[0.5, -0.25], [0.0, 1.0]])
    net.load_state_dict({"weight": tensor(weight), "bias": tensor(np.zeros(2))})
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def gradient(weight: Any, bias: Any) -> Any:
        scores = x.numpy() @ weight.T + bias
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        p[np.arange(3), target.numpy()] -= 1
        return p.T @ x.numpy() / 3, p.sum(axis=0) / 3

    bias = np.zeros(2)
    scores = x.numpy() @ weight.T
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), target.numpy()]).mean()
    for i in (1, 2):
        try:
            loss = function(net, optimizer, x, target)
        except AttributeError as error:
            raise AnswerError(UNFILLED if "ellipsis" in str(error) else str(error)) from None
        if i == 1 and not near(number(loss, "What step returns"), expected):
            raise AnswerError(
                f"The loss that it returns is {loss:.6f}, not {expected:.6f}. It should be "
                "loss_of(net(x), target), before the weights change."
            )
        by_weight, by_bias = gradient(weight, bias)
        after = weight - 0.1 * by_weight
        now = net.weight.detach().numpy().copy()
        if not close(now, after):
            if close(now, weight):
                raise AnswerError(
                    f"In step {i} the weights do not change. Is optimizer.step() missing, or does "
                    "it come before loss.backward(), when there are no gradients yet? Or does "
                    "zero_grad() stand between the two?"
                )
            if i == 2:
                raise AnswerError(
                    "The first step is right, the second is not: it still has the gradients of the "
                    "first. optimizer.zero_grad() is missing, or optimizer.step() comes before "
                    "loss.backward()."
                )
            raise AnswerError(
                "The weights change, but not by lr times the gradient. One of each: "
                "zero_grad, backward, step."
            )
        weight, bias = after, bias - 0.1 * by_bias
    return "Right. Loss, zero_grad, backward, step."
