"""``grad_fn`` has PyTorch's name, whatever made the Tensor."""

from typing import Any

import numpy as np
import pytest
import torch

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

EXPRESSIONS = """
x + y, x + 1, 1 + x, x - y, x - 1, 1 - x, x * y, 2 * x, x / y, x / 2, 1 / x, 3 / x, -x, +x * 1
x**2, x**0.5, x**y, 2**x, x.square(), x.pow(3), x.add(y, alpha=2), x.reciprocal(), x.rsqrt()
x.mm(y.t()), x @ y.t(), x @ v, v @ x.t(), v @ v, b @ b.mT, b @ x.t(), x @ b.mT, b @ v, v @ b.mT
b[None] @ b.mT, b @ b[None].mT, x @ b[None].mT, b[None] @ x.t(), b[None] @ v, v @ b[None].mT
x.mv(v), v.dot(v), b.bmm(b.mT), v.outer(v), lib.addmm(v[0], x, y.t())
x.exp(), x.log(), x.log1p(), x.sqrt(), x.sin(), x.cos(), x.tan(), x.tanh(), x.sigmoid(), x.relu()
x.sign(), x.abs(), abs(x), x.log2(), x.log10(), x.clone(), x.double(), x.half(), x.to(lib.float32)
x.sum(), x.sum(0), x.sum((0, 1)), x.sum(0, keepdim=True), x.mean(), x.mean(0), x.amax(), x.amin(0)
x.max(), x.min(), x.max(0).values, x.min(1).values, x.std(), x.var(0), x.norm(), x.norm(1)
x.logsumexp(0), x.softmax(0), x.log_softmax(1), lib.maximum(x, y), lib.minimum(x, y), lib.max(x, y)
x.clamp(0, 1), x.clamp(min=0), lib.where(x > 0, x, y), x.where(x > 0, 0.0), lib.where(x > 0, 0.0, x)
x.view(-1), x.view_as(y), x.reshape(-1), x.reshape(2, 3), x.t().reshape(-1), x.t().flatten()
b.flatten(1), x.flatten(), v.flatten() * 1, x.t().ravel(), x.ravel(), x.t().contiguous()
x.squeeze(), x.squeeze(0), x.squeeze((0, 1)), x.unsqueeze(0), x.permute(1, 0), x.transpose(0, 1)
x.t(), v.t(), x.T, x.mT, x.swapaxes(0, 1), b.movedim(0, 1), x.expand(2, 2, 3), x.expand_as(b)
x[0], x[-1], x[0, 1], x[1:], x[:], x[:, 1], x[:, 1:], x[0, 1:], x[None], x[..., None], x[...]
x[..., 0], x[[0, 1]], x[x > 0], x[:, [0, 1]], x[lib.tensor(0)], x[lib.tensor([0])], x[0:2], x[::2]
x[0, None], x[1:, 0], x[:1, :1], x[:, :2], x[:, :], x[0:2, :], x[..., 1:], x[1:, ...], x[()]
x[True], x[0, [0]], x[1:, [0]], x[None, 0], x[None, :], b[0, :, 1:], b[..., 0, :], b[:, 0:2]
lib.cat([x, y]), lib.stack([x, y]), lib.hstack([x, y]), lib.vstack([x, y]), lib.vstack([v, v])
x.gather(0, lib.tensor([[0, 1, 0]])), x.masked_fill(x > 0, 1.0), x.masked_select(x > 0)
x.index_select(0, lib.tensor([0])), x.narrow(0, 0, 1), x.select(0, 0), x.split(1)[0]
x.split([1, 1])[0], x.chunk(2)[0], x.unbind()[0], next(iter(x)), x.repeat(2, 1), x.flip(0)
x.sort().values, x.topk(1).values, v.diag(), x.diag(), x.trace(), x.tril(), x.triu()
F.linear(x, y, v[:2]), F.linear(x, y), F.linear(v, y, v[:2]), F.linear(b, y, v[:2]), F.linear(v, y)
F.linear(b, y), F.mse_loss(x, y), F.mse_loss(x, y, reduction="sum"), F.logsigmoid(x)
F.cross_entropy(x, lib.tensor([0, 1])), F.cross_entropy(v, lib.tensor(0), reduction="sum")
F.cross_entropy(b, lib.zeros(2, 3).long()), F.cross_entropy(x, y.detach())
F.cross_entropy(x, y.detach(), reduction="sum"), F.relu(x), F.softmax(x, 0), lib.nn.Tanh()(x)
F.cross_entropy(x, lib.tensor([0, 1]), label_smoothing=0.1), lib.nn.Linear(3, 2).double()(x)
F.binary_cross_entropy_with_logits(x, y.detach()), lib.nn.Flatten()(b)
lib.autograd.grad((x**3).sum(), x, create_graph=True)[0]
"""  # fmt: skip
IN_PLACE = """
c.add_(1), c.sub_(2), c.mul_(2), c.div_(2), c.pow_(2), c.zero_(), c.fill_(1.0), c.copy_(y), c.neg_()
c.exp_(), c.relu_(), c.clamp_(0, 1), c.sigmoid_(), c.sqrt_(), c.masked_fill_(c > 0, 1.0), c.tanh_()
c.__setitem__(0, 1.0), c.__setitem__(0, v), c.__setitem__(c > 0, 1.0), c.__setitem__(..., 1.0)
c.__setitem__(slice(None), y), c.__setitem__([0], v), c.__setitem__((0, 0), 2.0)
c[0].add_(1.0), c.t().mul_(2), row.mul_(2), row[1:].zero_(), c.view(-1)[2:].add_(v[0])
"""


def expressions(text: str) -> list[str]:
    """The sources of the expressions, which stand between commas at the outer level."""
    import ast

    return [
        ast.unparse(part)
        for line in text.strip().splitlines()
        for part in getattr(ast.parse(line, mode="eval").body, "elts", None)
        or [ast.parse(line, mode="eval").body]
    ]


def tensors(lib: Any) -> dict[str, Any]:
    arrays = {
        "x": np.arange(1.0, 7).reshape(2, 3) / 4,
        "y": np.arange(2.0, 8).reshape(2, 3) / 4,
        "v": np.array([1.0, 2.0, 3.0]),
        "b": np.arange(12.0).reshape(2, 2, 3),
    }
    made = {name: lib.tensor(array, requires_grad=True) for name, array in arrays.items()}
    return {**made, "lib": lib, "F": lib.nn.functional}


def name_of(x: Any) -> str:
    return type(x.grad_fn).__name__


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("expression", expressions(EXPRESSIONS))
def test_of_a_result(expression: str) -> None:
    ours, theirs = (eval(expression, tensors(lib)) for lib in (tg, torch))
    assert name_of(ours) == name_of(theirs)


@pytest.mark.parametrize("expression", expressions(IN_PLACE))
def test_of_what_changed_in_place_and_of_its_view(expression: str) -> None:
    found = []
    for lib in (tg, torch):
        names = tensors(lib)
        names["c"] = names["x"].clone()
        names["row"] = names["c"][0]
        eval(expression, names)
        found.append((name_of(names["c"]), name_of(names["row"])))
    assert found[0] == found[1]


def test_of_inputs() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    made_by = (x * tg.tensor([2.0, 2.0])).sum().grad_fn
    assert x.grad_fn is None
    assert made_by is not None
    assert repr(made_by).startswith("<SumBackward0 object at 0x")
    ((product, _),) = made_by.next_functions
    assert product is not None
    assert product.name() == "MulBackward0"
    leaf, constant = product.next_functions
    assert type(leaf[0]).__name__ == "AccumulateGrad"
    assert constant == (None, 0)
    assert product == made_by.next_functions[0][0] != made_by
