"""What a PyTorch tutorial writes prints the same under both libraries, by one import."""

import math
import re
import warnings
from contextlib import redirect_stdout
from io import StringIO
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from readme import README

import tinygrad_mlp as tg
import tinygrad_mlp.testing
from tinygrad_mlp.torch import nearest as tables
from tinygrad_mlp.torch.hints import fitting

pytestmark = pytest.mark.torch
torch.set_num_threads(1)

SNIPPETS = {
    "tensors": """
        data = [[1, 2], [3, 4]]
        x = torch.tensor(data)
        y = torch.from_numpy(np.array(data))
        print(x, y, torch.ones_like(x), torch.zeros_like(x, dtype=torch.float64))
        print(torch.rand_like(x, dtype=torch.float).dtype == torch.float32)
        print(torch.zeros(2, 3), torch.ones((2,)), torch.full((2, 2), 7.5), torch.arange(5))
        print(torch.arange(1, 2.5, 0.5), torch.arange(end=3), torch.linspace(-1, 1, steps=5))
        print(torch.eye(2), torch.full_like(x, 3), torch.as_tensor([1.5]), torch.empty(0))
        print(torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.double))
        print(torch.tensor(1.5, dtype=torch.float16), torch.tensor([True, False]))
    """,
    "devices": """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        print(device, repr(device), device.type)
        x = torch.zeros(2, device=device, dtype=torch.double, requires_grad=True)
        print(x, x.device, x.is_cuda, x.to("cpu") is x, x.to(device, torch.float32))
        print(x.to(torch.device("cpu"), dtype=torch.int64), x.cpu() is x)
        print(torch.tensor([1, 2], device="cpu").to(x), torch.device("cpu") == x.device)
        print(torch.device("cpu:0"), torch.device("cpu", 0), {torch.device("cpu"): 1}[device])
        print(torch.accelerator.is_available(), torch.cuda.device_count())
    """,
    "random": """
        torch.manual_seed(0)
        print(torch.rand(2, 3), torch.randn(3), torch.randn(4, 5), torch.randperm(10))
        print(torch.randint(0, 10, (5,)), torch.randint(3, (2, 2)), torch.randint(2**40, (2,)))
        print(torch.normal(1.0, 2.0, (3,)), torch.normal(1, 2, size=(20,)))
        print(torch.normal(0.0, 1.0, (3,), dtype=torch.float64))
        generator = torch.Generator().manual_seed(7)
        print(torch.rand(2, generator=generator), torch.randn(2, generator=generator))
        print(torch.rand(2), torch.randn_like(torch.zeros(3, dtype=torch.float64)))
        torch.manual_seed(1)
        print(torch.zeros(3).uniform_(-1, 1), torch.zeros(17).normal_())
        print(torch.zeros(2).normal_(5, 2))
    """,
    "functions and methods": """
        x = torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])
        y = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        v = torch.tensor([1.0, -2.0, 0.5])
        print(torch.mm(x, y.t()), x.matmul(y.T), x @ v, torch.dot(v, v), torch.mv(x, v))
        print(x.mul(y), torch.add(x, y, alpha=2), x.sub(1), torch.div(x, y), x.pow(2))
        print(torch.pow(input=x, exponent=2), torch.add(input=x, other=y))
        print(torch.sum(input=x, dim=0))
        print(x.sum(), x.sum(dim=1), x.sum(1, keepdim=True), x.mean(), torch.mean(x, dim=0))
        print(torch.sigmoid(x), x.tanh(), torch.relu(x), x.exp(), torch.log(y), x.abs())
        print(y.sqrt(), torch.sin(x), x.cos(), x.clamp(min=0), torch.clamp(x, min=-1, max=1))
        print(x.view(3, 2), x.reshape(-1), x.permute(1, 0), torch.permute(x, dims=(1, 0)))
        print(x.unsqueeze(0).squeeze(), x.expand(2, 2, 3), torch.flatten(x))
        print(torch.reshape(x, (6,)))
        print(torch.cat([x, y]), torch.cat((x, y), dim=1), torch.stack([v, v]))
        print(torch.hstack([v, v]))
        print(torch.where(x > 0, x, 0), torch.maximum(x, y), x.argmax(), x.argmax(dim=1))
        print(torch.vstack([v, v]), torch.concat([v, v]), x.argmin(1, keepdim=True))
        print(x > 0, x.eq(y), torch.lt(x, y), x == x, (x >= 0.5) & (x != 2))
        print(x[0, 0].item(), x.tolist(), x.numpy(), x.clone(), x.detach(), x.numel(), x.dim())
        print(torch.softmax(x, dim=1), x.log_softmax(dim=0), torch.logsumexp(x, 1), x.norm())
        print(x.std(), x.var(dim=0), x.std(1, unbiased=False), x.std(dim=0, correction=0))
        print(x.max(), x.min(), x.max(dim=1).values, x.min(dim=0).indices, torch.max(x, y))
        print(x.T, x.mT, x.t(), x.transpose(0, 1), torch.outer(v, v), x.norm(p=1), x.norm(dim=0))
        print(torch.allclose(x, x + 1e-9), torch.equal(x, y), torch.isclose(x, y).any())
        print(torch.isnan(x).any(), torch.isfinite(x).all(), torch.isinf(x / 0))
        print(x.reciprocal(), y.rsqrt(), x.square(), x.sign(), torch.neg(x), -x, abs(x))
        print(torch.tril(x), x.triu(1), torch.diag(v), torch.trace(x @ y.T), x.flip(0))
        print(v.repeat(2, 2))
        print(x.split(2, dim=1), torch.chunk(v, 2), v.unbind(), x.narrow(1, 0, 2), x.select(0, 1))
        print(x.gather(1, torch.tensor([[0], [2]])), x.masked_fill(x < 0, 0.0), x[x > 0])
        print(x[:, [0, 2]])
        print(x.index_select(1, torch.tensor([2, 0])), torch.masked_select(x, x < 0), x.nonzero())
        print(v.argsort(), v.sort().values, v.sort(descending=True).indices, y.topk(2).values)
        print(torch.addmm(v[:2], x, y.T, beta=0.5, alpha=2), torch.bmm(x[None], y.T[None]))
        print(x.new_zeros(2), x.new_ones((1, 2)), x.new_full((2,), 3), x.new_tensor([1, 2]))
        print(x.float(), x.double(), x.long(), x.int(), x.half(), x.bool(), x.type_as(v.double()))
        print(torch.is_tensor(x), x.is_floating_point(), x.element_size(), x.stride(), x.nelement())
        print(x.contiguous() is x, x.t().is_contiguous(), x.t().contiguous().stride(), x.ndim)
        print(*torch.meshgrid(v, v, indexing="xy"), torch.pi, torch.inf, torch.nan, torch.e)
        print(len(x), float(x.sum()), int(v[0]), bool(v[0] > 0), 2 - x, 1 / y, 2**x)
        print(torch.logical_and(x > 0, y > 2), torch.logical_not(x > 0))
        print(x.count_nonzero(), x.movedim(0, 1))
    """,
    "edges": """
        m = torch.tensor([True, False])
        print(m.diag(), m.diag().tril(), m.masked_fill(m, 0))
        print(torch.tensor([1, 2]).masked_fill(m, 2.5))
        x = torch.ones(0, 2, requires_grad=True)
        print(x.logsumexp(0), x.logsumexp(1), x.any(1), x.all(0), torch.any(x, dim=0, keepdim=True))
        print(torch.tensor(3.0).topk(1)[0], torch.tensor(3.0).gather(0, torch.tensor(0)))
        x = torch.tensor([[2.0, 2.0], [1.0, 3.0]], requires_grad=True)
        x.std(1).sum().backward()
        y = x * 2
        y += torch.ones(2, dtype=torch.float64)
        z = torch.zeros(3)
        z[1] = torch.tensor([[7.0]])
        print(x.grad, y, z, x.half().mean(), x.half().mean(1))
    """,
    "ints beside arrays in an index": """
        x = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
        mask = torch.tensor([[True, False, True], [False, True, True]])
        for part in (
            x[0, :, [0, 3]],
            x[torch.tensor(1), :, torch.tensor([0, 1])],
            x[:, 0, [0, 1]],
            x[[0, 1], :, -1],
            x[1, None, [0, 2]],
            x[0, ..., [[1, 2]]],
            x[mask, None, 2],
            x[None, 1, 1:, None, [0, 2]],
            x[None][:, [0, 1], :, 3],
        ):
            print(part.shape == (), list(part.shape), part)
            print(*torch.autograd.grad((part * part).sum(), x))
        y = x * 1
        y[0, :, [0, 3]] = torch.arange(6.0).reshape(3, 2)
        y[1, :, [1, 2]] += 100
        print(y, *torch.autograd.grad((y * y).sum(), x))
        z = torch.zeros(2, 3, 4)
        z[-1, 1:, [0, 1]] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        print(z)
    """,
    "gradients": """
        x = torch.ones(5)
        y = torch.zeros(3)
        torch.manual_seed(0)
        w = torch.randn(5, 3, requires_grad=True)
        b = torch.randn(3, requires_grad=True)
        z = torch.matmul(x, w) + b
        print(z, z.requires_grad, z.is_leaf, w.is_leaf)
        print(z.grad_fn.name(), z.grad_fn.next_functions[0][0].name(), w.grad_fn)
        print(type(z.grad_fn.next_functions[1][0]).__name__)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        loss.backward()
        print(loss.item(), w.grad, b.grad)
        with torch.no_grad():
            print((x @ w).requires_grad)
            w -= 0.1 * w.grad
            w.grad.zero_()
        print(w, w.grad, z.detach(), z.data)
        out = (w + 1).pow(2).t()
        out.backward(torch.ones_like(out), retain_graph=True)
        out.backward(torch.ones_like(out))
        print(w.grad)
        w.grad = None
        print(w.grad, torch.is_grad_enabled())
        with torch.set_grad_enabled(False), torch.enable_grad():
            print((w * 2).requires_grad)
        with torch.inference_mode():
            print((w * 2).requires_grad)
    """,
    "whether it records": """
        w = torch.ones(1, requires_grad=True)
        def records(): return (w * 2).requires_grad
        torch.set_grad_enabled(False)
        print(records())
        torch.set_grad_enabled(True)
        print(records())
        with torch.set_grad_enabled(False):
            print(records())
            torch.set_grad_enabled(True)
            print(records())
        print(records())
        decorated = torch.set_grad_enabled(False)(records)
        print(records(), decorated(), records())
        mode = torch.set_grad_enabled(False)
        print(records())
        with mode:
            print(records())
        print(records())
        with torch.no_grad():
            torch.set_grad_enabled(True)
            print(records())
        torch.no_grad(), torch.inference_mode()
        print(records())
    """,
    "autograd": """
        from torch_autograd import grad, backward
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = torch.tensor(3.0, requires_grad=True)
        (first,) = grad((x**3).sum() * y, x, create_graph=True)
        print(first, grad(first.sum(), [x, y]))
        print(torch.autograd.grad(x * y, x, grad_outputs=torch.tensor([1.0, 10.0])))
        print(torch.autograd.grad((x * 2).sum(), (x, y), allow_unused=True))
        backward([x.sum(), (x * x).sum()])
        torch.autograd.backward(x * y, torch.ones(2))
        print(x.grad, y.grad)
        F = torch.autograd.functional
        def f(x): return (x**3).sum()
        def g(x): return x**2
        v = torch.tensor([1.0, 2.0])
        a = torch.tensor([2.0, 3.0])
        print(F.jacobian(g, a), F.hessian(f, a), F.vjp(g, a, v), F.jvp(g, a, v), F.hvp(f, a, v))
        print(F.vhp(f, inputs=a, v=v), F.jacobian(lambda a, b: a * b, (a, v)))
    """,
    "Function": """
        class LegendrePolynomial3(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input):
                ctx.save_for_backward(input)
                return 0.5 * (5 * input**3 - 3 * input)

            @staticmethod
            def backward(ctx, grad_output):
                (input,) = ctx.saved_tensors
                return grad_output * 1.5 * (5 * input**2 - 1)

        class Exp(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                result = x.exp()
                ctx.save_for_backward(result)
                return result

            @staticmethod
            def backward(ctx, g):
                (result,) = ctx.saved_tensors
                return g * result

        class Scaled(torch.autograd.Function):
            @staticmethod
            def forward(x, y, factor):
                return x * y * factor

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, y, ctx.factor = inputs
                ctx.save_for_backward(x, y)

            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                print(ctx.needs_input_grad)
                return g * y * ctx.factor, g * x * ctx.factor, None

        x = torch.tensor([0.5, 2.0], requires_grad=True)
        y = torch.tensor([3.0, 4.0], requires_grad=True)
        out = LegendrePolynomial3.apply(x)
        print(out)
        out.sum().backward()
        print(x.grad)
        (first,) = torch.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
        print(first, torch.autograd.grad(first.sum(), x))
        print(Scaled.apply(x, y, 3), torch.autograd.grad(Scaled.apply(x, y, 3).sum(), (x, y)))
        print(Scaled.apply(x.detach(), y.detach(), 3))
        (first,) = torch.autograd.grad(Scaled.apply(x, y, 2).sum(), x, create_graph=True)
        print(torch.autograd.grad(first.sum(), y))
        print(torch.autograd.grad(Scaled.apply(x, torch.ones(2), 2).sum(), x))
    """,
    "in place": """
        x = torch.zeros(2, 3)
        x[0] = 1
        x[1, 2] += 5
        x[:, 1] = torch.tensor([7.0, 8.0])
        x.t()[0].mul_(3)
        x[x > 6] = -1
        print(x, x.add_(1), x.sub_(torch.ones(3)), x.div_(2), x.clamp_(min=0), x.fill_(2).exp_())
        w = torch.ones(3, 2, requires_grad=True)
        g = torch.full((2, 2), 0.25)
        with torch.no_grad():
            w[1:] -= g
            w.t()[0].zero_()
            w.data.mul_(2)
        print(w)
        y = w * 1
        y[0] = y[1] * 3
        y.t().mul_(2)
        y.view(-1)[3:].add_(w.sum())
        y.sum().backward()
        print(y, w.grad)
        z = (w * 2).zero_()
        z.sum().backward()
        print(z, w.grad)
        a = torch.arange(6.0)
        old = a.data
        a.data = torch.ones(6)
        old.zero_()
        a.view(2, 3)[0] = 5
        print(a, old, a.masked_fill_(a > 2, 0), a.neg_(), a.sigmoid_(), a.detach_())
    """,
    "an MLP by hand": """
        torch.manual_seed(0)
        N, D_in, H, D_out = 16, 10, 8, 2
        x, y = torch.randn(N, D_in), torch.randn(N, D_out)
        w1 = torch.randn(D_in, H, requires_grad=True)
        w2 = torch.randn(H, D_out, requires_grad=True)
        for t in range(5):
            y_pred = x.mm(w1).clamp(min=0).mm(w2)
            loss = (y_pred - y).pow(2).sum()
            loss.backward()
            with torch.no_grad():
                w1 -= 1e-4 * w1.grad
                w2 -= 1e-4 * w2.grad
                w1.grad.zero_()
                w2.grad.zero_()
        print(loss.item() > 0, loss.grad_fn.name(), y_pred.shape == (16, 2))
        x = torch.linspace(-math.pi, math.pi, 20)
        p = torch.tensor([1, 2, 3])
        xx = x.unsqueeze(-1).pow(p)
        print(xx[:2], xx[:2].shape == (2, 3))
    """,
    "nn": """
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x = torch.linspace(0, 1, 12).view(4, 3)
        loss_fn = torch.nn.MSELoss(reduction="sum")
        for _ in range(2):
            loss = loss_fn(net(x), torch.ones(4, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(net(x), loss, net[0].weight, net[2].bias)
        logits = torch.tensor([[1.0, 2.0]], requires_grad=True)
        print(torch.nn.CrossEntropyLoss()(logits, torch.tensor([1])))
    """,
    "dtypes": """
        a, b = torch.tensor([1, 2]), torch.tensor([1.5, 2.5])
        print(a + b, a * 2.5, a / 2, (a > 1).sum(), (b > 2).float().mean(), a.float().std())
        print(b.to(torch.int32), a.to(torch.double), torch.tensor([1, 2], dtype=torch.uint8) * 2)
        print(torch.half == torch.float16, torch.short == torch.int16, torch.int == torch.int32)
        print(a.short(), a.byte(), a.char(), a.dtype == torch.int64, torch.long == a.dtype)
    """,
}  # fmt: skip


def printed(snippet: str, library: Any) -> str:
    """What a snippet prints where ``torch`` is this library, imported under that name."""
    source = dedent(snippet).replace("from torch_autograd import", "from {}.autograd import")
    names = {"torch": library, "np": np, "math": math}
    out = StringIO()
    with redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(source.replace("{}.autograd", f"{library.__name__}.autograd"), names)
    return out.getvalue()


@pytest.mark.parametrize("name", SNIPPETS)
def test_the_same_code_prints_the_same(name: str) -> None:
    assert printed(SNIPPETS[name], tg) == printed(SNIPPETS[name], torch)


MODULES = {
    "torch": (torch, tg),
    "Tensor": (torch.Tensor, tg.zeros(2, 2)),
    "nn": (torch.nn, tg.nn),
    "nn.functional": (torch.nn.functional, tg.nn.functional),
    "optim": (torch.optim, tg.optim),
    "lr_scheduler": (torch.optim.lr_scheduler, tg.optim.lr_scheduler),
    "autograd": (torch.autograd, tg.autograd),
    "autograd.functional": (torch.autograd.functional, tg.autograd.functional),
}


def is_there(name: str, *places: Any) -> bool:
    for place in places:
        found = place
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not None:
            return True
    return False


@pytest.mark.parametrize("module", MODULES)
def test_each_name_is_there_or_its_error_names_one_that_is(module: str) -> None:
    theirs, ours = MODULES[module]
    absent = 0
    for name in dir(theirs):
        if name.startswith("_") or hasattr(ours, name):
            continue
        absent += 1
        with pytest.raises(AttributeError) as raised:
            getattr(ours, name)
        if re.search(rf"has no '{name}', nor anything like it: .+", str(raised.value)):
            assert fitting(tables.NOTHING, name)
            continue
        found = re.search(r"has no '(\w+)'; the nearest there is: ([\w.]+)", str(raised.value))
        assert found is not None, raised.value
        assert found[1] == name
        # What changes its Tensor is not near to what does not.
        assert name.endswith("_") or not found[2].endswith("_") or found[2] == "__version__"
        assert is_there(found[2], ours, tg, tg.Tensor), raised.value
    assert absent or not isinstance(theirs, ModuleType) or module == "autograd.functional"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("einsum", "matmul"),
        ("cumsum", "sum"),
        ("sigmiod", "sigmoid"),
        ("FloatTensor", "tensor, with dtype="),
        ("complex64", "float64"),
        ("vmap", "autograd.functional.jacobian"),
        ("conv2d", "nn.functional"),
        ("finfo", "float32, dtypes are NumPy's: numpy.finfo"),
        ("iinfo", "float32, dtypes are NumPy's: numpy.finfo and numpy.iinfo"),
        ("sinh", "sin, or an op of your own"),
        ("sinh_", "sin, or an op of your own"),
        ("round_", "clamp"),
        ("exp_", "exp, which makes a new one"),
        ("IntTensor", "tensor, with dtype="),
        ("range", "arange"),
        ("Variable", "tensor, with requires_grad=True"),
        ("version", "__version__"),
    ],
)
def test_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}'; the nearest there is: {nearest}"):
        getattr(tg, name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("backends", "NumPy, on the CPU"),
        ("set_num_threads", "NumPy's BLAS; set OMP_NUM_THREADS"),
        ("use_deterministic_algorithms", "the same numbers each time"),
    ],
)
def test_nothing_is_like_it(name: str, why: str) -> None:
    with pytest.raises(AttributeError, match=f"no '{name}', nor anything like it: .*{why}"):
        getattr(tg, name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("tg.zeros(2, layout=0)", "zeros: layout= is not here; all Tensors are dense"),
        ("tg.sum(tg.zeros(2), out=tg.zeros(1))", "sum: out= is not here; assign the result"),
        ("tg.tensor(1, dytpe=tg.float32)", "tensor: dytpe= is not here; the nearest is dtype="),
        ("tg.zeros(2).sum(dmi=0)", "dmi"),
        ("tg.rand(2, names=['a'])", "rand: names= is not here; it takes size, generator, dtype"),
    ],
)
def test_keywords_that_are_not_here(call: str, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        eval(call, {"tg": tg})


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "meta", "nonsense"])
def test_other_devices_are_refused(device: str) -> None:
    for make in (
        lambda: tg.device(device),
        lambda: tg.zeros(2, device=device),
        lambda: tg.tensor([1.0], device=device),
        lambda: tg.ones(1).to(device=device),
    ):
        with pytest.raises(RuntimeError, match="CPU|cpu"):
            make()


ROWS = re.findall(
    r"^\| `(.*torch\..*|x.numpy\(\))` \| `(.*)` \| (.*) \|$",
    README.read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("theirs", "ours", "same"), ROWS)
def test_the_table_in_the_readme_is_true(theirs: str, ours: str, same: str) -> None:
    printed = []
    for library, line in ((torch, theirs), (tg, ours)):
        names: dict[str, Any] = {"torch": torch, "tg": tg, "f": lambda x: (x**3).sum()}
        names["x"] = library.tensor([1.0, 2.0])
        *before, last = line.split("; ")
        library.manual_seed(0)
        exec("; ".join(before), names)
        value = eval(last, names)
        if same.startswith("bit"):
            value = value.tolist()
        printed.append(f"{value!r} {getattr(getattr(value, 'flags', None), 'writeable', '')}")
    assert (printed[0] == printed[1]) is not same.startswith("no:")


def test_the_table_in_the_readme_is_found() -> None:
    assert len(ROWS) == 10
