"""What is PyTorch's and not here: an error that says so, and names the nearest thing that is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

# Patterns of names, each with what comes nearest: a name of this package, and advice.
NEAREST = (
    # Where it runs, and in what numbers.
    (r"cuda|gpu|xpu|mps|hpu|ipu|mtia|vulkan|pin_memory", "device('cpu')", "all runs on the CPU"),
    (r"complex|cfloat|cdouble|chalf|^real|imag|conj|angle|polar|^[hH]$|mH|adjoint", "float64",
     "there are no complex numbers"),
    (r"bfloat16|float8|float4|q?u?int\d+|quant|BFloat|^bits|^dequant", "float32",
     "dtypes are bool, uint8, int8 to int64 and float16 to float64"),
    (r"(Float|Double|Half|Long|Int|Short|Byte|Char|Bool)(Tensor|Storage)|^.*Type$", "tensor",
     "with dtype="),
    (r"default_(dtype|device|tensor_type)|^get_device", "float32", "say another with dtype="),
    (r"sparse|coo|csr|csc|bsr|bsc|coalesce|nested|jagged|to_dense|mkldnn", "zeros",
     "all Tensors are dense"),
    (r"storage|data_ptr|share_memory|set_|is_shared|memory_format|_format|as_strided|resize|unfold",
     "reshape", "memory is out of sight, so that the tape cannot be changed behind its back"),
    # Derivatives.
    (r"hook|anomaly|saved_tensors|multithreading|graph|Forward|dual|forward_ad", "autograd.grad",
     "or Tensor.retain_grad()"),
    (r"vmap|^func$|functional_call|jacfwd|jacrev|linearize", "autograd.functional.jacobian",
     "or vjp, jvp and hvp"),
    (r"gradcheck|gradgradcheck|^testing", "testing.gradcheck", "import tinygrad_mlp.testing"),
    (r"profiler|^autograd_|Event|record_function", "compile", "for speed"),
    (r"^_?jit|script|trace|export|onnx|fx|dynamo|_compile|inductor|package|hub", "compile", ""),
    (r"inference|no_grad", "no_grad", ""),
    # Random numbers.
    (r"rng|seed|Generator", "manual_seed", "or Generator"),
    (r"multinomial|bernoulli|poisson|binomial|exponential|geometric|cauchy|log_normal|dirichlet",
     "rand", "or randn"),
    # Linear algebra.
    (r"linalg|svd|qr|eig|chol|^lu|inv|det|solve|lstsq|pca|lobpcg|geqrf|orm|triang|matrix|pinv|rank"
     r"|householder|ger", "matmul", "the rest of linear algebra is NumPy's, of x.numpy()"),
    (r"einsum|tensordot|inner|chain|kron|bilinear|baddbmm|addbmm|addmv|addr|addc|cdist|pdist|cross"
     r"|vdot|mv$|sspaddmm|hspmm|smm", "matmul", "with reshape and permute"),
    # Ops.
    (r"cum|prod|nansum|trapezoid|trapz|diff|gradient|hist|bincount|aminmax|sum", "sum", ""),
    (r"nanmean|cov|corrcoef|mean", "mean", ""),
    (r"median|mode|quantile|kth|msort|unique|search|bucketize|isin|lexsort", "sort", ""),
    (r"scatter|index_|put|take|select|masked|gather", "where", "or an index, x[i] = y"),
    (r"split|chunk|roll|rot90|narrow|block_diag|combin|cartesian|diag", "cat",
     "or an index, x[i]"),
    (r"stack|column|dstack|row", "stack", ""),
    (r"flip|tile|repeat|expand|broadcast|atleast", "expand", ""),
    (r"squeeze|align|rename|refine|names|dims|axes|flatten|view|reshape", "reshape", ""),
    (r"expm1|exp|erf|softplus|sinc|logit|xlog|entr", "exp", ""),
    (r"log|gamma|digamma|beta", "log", ""),
    (r"sinh|cosh|^a?r?c?(sin|cos|tan)|hypot|deg2rad|rad2deg|i0|bessel|chebyshev|hermite", "sin",
     "or an op of your own, with op()"),
    (r"round|floor|ceil|trunc|frac|fix|fmod|remainder|rounding", "clamp",
     "or .long(), which cuts off fractions"),
    (r"sgn|sign|heaviside", "sign", ""),
    (r"min|max|clamp|clip|nan_to_num", "clamp", ""),
    (r"bitwise|shift|logical", "logical_and", "or & | ^ ~"),
    (r"fft|stft|window|mel|spectr", "matmul", "or an op of your own, with op()"),
    (r"empty|zeros|ones|logspace|range|vander|asarray|frombuffer|from_|DLPack|dlpack", "tensor",
     ""),
    (r"save|load|pickle|serial", "save", "or load"),
    (r"distributed|multiproc|thread|parallel|futures|rpc|utils|data|DataLoader", "randperm",
     "to take batches, index with parts of randperm(n)"),
)  # fmt: skip
LAYERS = (
    (r"(?i)conv|pool|fold|pixel|upsampl|pad|shuffle|grid|affine|interpolate", "nn.Linear",
     "after nn.Flatten"),
    (r"(?i)rnn|lstm|gru|attention|transformer|embedding|bilinear|one_hot|cell", "nn.Linear", ""),
    (r"(?i)loss|entropy|kl_div|nll|distance|similarity|hinge|ctc", "nn.CrossEntropyLoss",
     "or MSELoss, BCEWithLogitsLoss"),
    (r"(?i)softm|gumbel", "nn.Softmax", ""),
    (r"(?i)sigmoid|glu|silu|swish", "nn.Sigmoid", ""),
    (r"(?i)relu|elu|gelu|mish|shrink|plus|softsign|tanh", "nn.ReLU", "or Tanh, Sigmoid"),
    (r"(?i)list|dict|parallel|lazy|container|unflatten", "nn.Sequential", ""),
    (r"(?i)init|param|buffer|xavier|kaiming|orthogonal", "nn.Parameter", ""),
    (r"", "nn.Module", "which your own layers are made of"),
)  # fmt: skip
OPTIMIZERS = (
    (r"(?i)lr|schedul|swa", "optim.lr_scheduler", ""),
    (r"(?i)adam|rms|ada|prop|lion", "optim.Adam", "or AdamW, SGD"),
    (r"", "optim.SGD", "or Adam, AdamW"),
)
KEYWORDS = {
    "out": "assign the result",
    "device": "device='cpu'",
    "layout": "all Tensors are dense",
    "pin_memory": "all runs on the CPU",
    "memory_format": "use contiguous()",
    "is_coalesced": "all Tensors are dense",
}


def missing_method(name: str) -> AttributeError:
    """The error for a method that Tensors do not have."""
    package = sys.modules[__package__]
    there = {n for n in dir(package.Tensor) if n[0] != "_"}
    near = close(name, there)
    if near is None:
        rule = found(name, NEAREST)
        near = f"Tensor.{rule[0]}" if rule[0] in there else f"{__package__}.{rule[0]}"
        near += f" ({rule[1]})" * bool(rule[1])
    else:
        near = f"Tensor.{near}"
    return AttributeError(f"Tensor.{name} is not here; the nearest that is: {near}")


def module_getattr(module: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module of this package that has PyTorch's names."""

    def getattr_(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        there = [n for n in dir(sys.modules[module]) if n[0] != "_"]
        near = close(name, there)
        if near is not None:
            near = f"{module}.{near}"
        else:
            inside = module.partition(".")[2]
            rules = {"nn": LAYERS, "optim": OPTIMIZERS}.get(inside.partition(".")[0], NEAREST)
            near, advice = found(name, rules)
            near = f"{__package__}.{near}" + f" ({advice})" * bool(advice)
        raise AttributeError(f"{module}.{name} is not here; the nearest that is: {near}")

    return getattr_


def close(name: str, there: Iterable[str]) -> str | None:
    """A name that is spelt nearly the same."""
    plain = {n.lower().replace("_", ""): n for n in sorted(there, reverse=True)}
    word = name.lower().replace("_", "")
    near = get_close_matches(word, plain, 1, 0.8 if len(word) > 3 else 0.99)
    return plain[near[0]] if near else None


def found(name: str, rules: Iterable[tuple[str, str, str]]) -> tuple[str, str]:
    for pattern, near, advice in rules:
        if re.search(pattern, name):
            return near, advice
    return "op", "which makes an op of your own of a function and its VJPs"


P = ParamSpec("P")
R = TypeVar("R")


def says_what_it_takes(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for a keyword of PyTorch's that names the nearest it has."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError:
            known = signature(function).parameters
            for keyword in options:
                if keyword not in known:
                    raise without(function.__name__, keyword, known) from None
            raise

    return call


def without(function: str, keyword: str, known: Iterable[str]) -> TypeError:
    """The error for a keyword that a function does not take."""
    near = get_close_matches(keyword, known, 1, 0.6)
    hint = KEYWORDS.get(keyword) or (f"the nearest is {near[0]}=" if near else "")
    hint = hint or f"it takes {', '.join(known) or 'none'}"
    return TypeError(f"{function}: {keyword}= is not here; {hint}")
