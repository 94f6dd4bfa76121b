"""What is PyTorch's and not here: the errors for names, methods and keywords."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from .absent import absent

# Patterns of names, each with what comes nearest: first a name of this package.
NEAREST = (
    (
        r"cuda|gpu|xpu|mps|^hpu|^ipu|mtia|vulkan|pin_memory|^cpu$",
        "device('cpu'), all runs on the CPU",
    ),
    (
        r"complex|cfloat|cdouble|chalf|^real|imag|conj|angle|polar|^[hH]$|mH|adjoint",
        "float64, there are no complex numbers",
    ),
    (
        r"(?i)conv|pool|dropout|embedding|_norm|gru|lstm|rnn|_loss|relu|elu|selu|shuffle|pad"
        r"|grid|softmin|threshold|hardshrink|linear$",
        "nn.functional, or nn.Module for a layer of your own",
    ),
    (
        r"bfloat16|float8|float4|q?u?int\d+|quant|BFloat|^bits|^dequant",
        "float32, dtypes are bool, uint8, int8 to int64 and float16 to float64",
    ),
    (
        r"(Float|Double|Half|Long|Int|Short|Byte|Char|Bool)(Tensor|Storage)|^.*Type$",
        "tensor, with dtype=",
    ),
    (r"default_(dtype|device|tensor_type)|^get_device", "float32, say another with dtype="),
    (
        r"sparse|coo|csr|csc|bsr|bsc|coalesce|nested|jagged|to_dense|mkldnn",
        "zeros, all Tensors are dense",
    ),
    (
        r"storage|data_ptr|share_memory|^set_$|is_shared|memory_format|_format|as_strided"
        r"|resize|unfold",
        "reshape, memory is out of sight, so that the tape cannot be changed behind its back",
    ),
    (
        r"hook|anomaly|saved_tensors|multithreading|graph|Forward|dual|forward_ad",
        "autograd.grad, or Tensor.retain_grad()",
    ),
    (
        r"vmap|^func$|functional_call|jacfwd|jacrev|linearize",
        "autograd.functional.jacobian, or vjp, jvp and hvp",
    ),
    (r"gradcheck|gradgradcheck|^testing", "testing.gradcheck, import tinygrad_mlp.testing"),
    (r"profiler|^autograd_|Event|record_function", "compile, for speed"),
    (r"^_?jit|script|trace|export|onnx|fx|dynamo|_compile|inductor|package|hub", "compile"),
    (r"inference|no_grad", "no_grad"),
    (r"rng|seed|Generator", "manual_seed, or Generator"),
    (
        r"multinomial|bernoulli|poisson|binomial|exponential|geometric|cauchy|log_normal"
        r"|dirichlet",
        "rand, or randn",
    ),
    (
        r"linalg|svd|^qr|eig|chol|^lu|inv|det$|solve|lstsq|pca|lobpcg|geqrf|ormqr|orgqr"
        r"|triang|matrix|rank|householder|^ger",
        "matmul, the rest of linear algebra is NumPy's, of x.numpy()",
    ),
    (
        r"einsum|tensordot|inner|chain|kron|bilinear|baddbmm|addbmm|addmv|addr|addc|cdist"
        r"|pdist|cross|vdot|mv$|sspaddmm|hspmm|smm",
        "matmul, with reshape and permute",
    ),
    (r"cum|prod|nansum|trapezoid|trapz|diff|gradient|hist|bincount|aminmax|sum", "sum"),
    (r"nanmean|cov|corrcoef|mean", "mean"),
    (r"median|mode|quantile|kth|msort|unique|search|bucketize|isin|lexsort", "sort"),
    (r"scatter|index_|put|take|select|masked|gather", "where, or an index, x[i] = y"),
    (r"split|chunk|roll|rot90|narrow|block_diag|combin|cartesian", "cat, or an index, x[i]"),
    (r"diag", "diag"),
    (r"stack|column|dstack|row", "stack"),
    (r"flip|tile|repeat|expand|broadcast|atleast", "expand"),
    (r"squeeze|align|rename|refine|names|dims|axes|flatten|view|reshape", "reshape"),
    (r"expm1|exp|erf|softplus|sinc|logit|xlog|entr", "exp"),
    (r"log|gamma|digamma|beta", "log"),
    (
        r"sinh|cosh|^a?r?c?(sin|cos|tan)|hypot|deg2rad|rad2deg|i0|bessel|chebyshev|hermite",
        "sin, or an op of your own, with op()",
    ),
    (
        r"round|floor|ceil|trunc|frac|fix|fmod|remainder|rounding",
        "clamp, or .long(), which cuts off fractions",
    ),
    (r"sgn|sign|heaviside", "sign"),
    (r"min|max|clamp|clip|nan_to_num", "clamp"),
    (r"bitwise|shift|logical", "logical_and, or & | ^ ~"),
    (r"fft|stft|window|mel|spectr", "matmul, or an op of your own, with op()"),
    (r"empty|zeros|ones|logspace|range|vander|asarray|frombuffer|from_|DLPack|dlpack", "tensor"),
    (r"save|load|pickle|serial", "save, or load"),
    (
        r"distributed|multiproc|thread|parallel|futures|rpc|utils|data|DataLoader",
        "randperm, to take batches, index with parts of randperm(n)",
    ),
    (r"", "op, which makes an op of your own of a function and its VJPs"),
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
    tensor = sys.modules[__package__].Tensor
    return absent("Tensor", name, dir(tensor), rules=NEAREST)


def module_getattr(module: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module of this package that has names of PyTorch's."""

    def getattr_(name: str) -> Any:
        raise absent(module, name, dir(sys.modules[module]), rules=NEAREST)

    return getattr_


P = ParamSpec("P")
R = TypeVar("R")


def says_what_it_takes(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for a keyword of PyTorch's that names the nearest it has."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError:
            known = [name for name in signature(function).parameters if name != "self"]
            for keyword in options:
                if keyword not in known:
                    raise without(function.__name__, keyword, known) from None
            raise

    return call


def say_what_they_take(cls: type, names: Iterable[str]) -> None:
    """Do that for methods of a class."""
    for name in names:
        setattr(cls, name, says_what_it_takes(vars(cls)[name]))


def without(function: str, keyword: str, known: Iterable[str]) -> TypeError:
    """The error for a keyword that a function does not take."""
    near = get_close_matches(keyword, known, 1, 0.6)
    hint = KEYWORDS.get(keyword) or (f"the nearest is {near[0]}=" if near else "")
    hint = hint or f"it takes {', '.join(known) or 'none'}"
    return TypeError(f"{function}: {keyword}= is not here; {hint}")
