"""What is PyTorch's and not here: the errors for names, methods and keywords."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import getattr_static, signature
from typing import Any, ParamSpec, TypeVar

from .absent import absent
from .later import first_use

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
    (r"^[fi]info$", "float32, dtypes are NumPy's: numpy.finfo and numpy.iinfo take them"),
    (r"^type$", "to, with dtype="),
    (r"^version$", "__version__"),
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
        r"hook|saved_tensors|multithreading|graph|Forward|dual|forward_ad",
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
    (r"anomaly", "autograd.detect_anomaly"),
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
# The public names of PyTorch 2.13's Tensor that are not here.
METHODS = """
H absolute_ acos acos_ acosh acosh_ addbmm addbmm_ addcdiv addcdiv_ addcmul addcmul_ addmm_
addmv addmv_ addr addr_ adjoint aminmax angle apply_ arccos arccos_ arccosh arccosh_ arcsin
arcsin_ arcsinh arcsinh_ arctan arctan2 arctan2_ arctan_ arctanh arctanh_ argwhere as_strided
as_strided_ as_strided_scatter as_subclass asin asin_ asinh asinh_ atan atan2 atan2_ atan_
atanh atanh_ baddbmm baddbmm_ bernoulli bernoulli_ bfloat16 bincount bitwise_and bitwise_and_
bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or bitwise_or_
bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_ cauchy_ ccol_indices cdouble
ceil ceil_ cfloat chalf cholesky cholesky_inverse cholesky_solve clamp_max clamp_max_ clamp_min
clamp_min_ clip_ coalesce col_indices conj conj_physical conj_physical_ const_data_ptr copysign
copysign_ corrcoef cosh cosh_ cov cross crow_indices cummax cummin cumprod cumprod_ cumsum
cumsum_ data_ptr deg2rad deg2rad_ dense_dim dequantize det diag_embed diagflat diagonal
diagonal_scatter diff digamma digamma_ dim_order dist divide_ dsplit eig eq_ erf erf_ erfc
erfc_ erfinv erfinv_ exp2 exp2_ expm1 expm1_ exponential_ fill_diagonal_ fix fix_ fliplr flipud
float_power float_power_ floor floor_ floor_divide floor_divide_ fmax fmin fmod fmod_ frac
frac_ frexp gcd gcd_ ge_ geometric_ geqrf ger get_device grad_dtype greater greater_
greater_equal greater_equal_ gt_ hardshrink hash_tensor heaviside heaviside_ histc histogram
hsplit hypot hypot_ i0 i0_ igamma igamma_ igammac igammac_ imag index index_add index_add_
index_copy index_copy_ index_fill index_fill_ index_put index_put_ index_reduce index_reduce_
indices inner int_repr inverse ipu is_coalesced is_complex is_conj is_cpu is_distributed
is_inference is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_neg is_nested is_nonzero
is_pinned is_quantized is_same_size is_set_to is_shared is_signed is_sparse is_sparse_csr
is_vulkan is_xla is_xpu isneginf isposinf isreal istft kron kthvalue layout lcm lcm_ ldexp
ldexp_ le_ lerp lerp_ less less_ less_equal less_equal_ lgamma lgamma_ log10_ log1p_ log2_
log_normal_ logaddexp logaddexp2 logcumsumexp logdet logical_and_ logical_not_ logical_or_
logical_xor_ logit logit_ lstsq lt_ lu lu_solve mH map2_ map_ masked_scatter masked_scatter_
matrix_exp matrix_power median mode module_load moveaxis msort mtia multinomial multiply_
mvlgamma mvlgamma_ nan_to_num nan_to_num_ nanmean nanmedian nanquantile nansum narrow_copy ne_
negative_ new new_empty new_empty_strided nextafter nextafter_ nonzero_static not_equal
not_equal_ orgqr ormqr output_nr pin_memory pinverse polygamma polygamma_ positive prelu prod
put put_ q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point
qr qscheme quantile rad2deg rad2deg_ random_ real record_stream register_hook
register_post_accumulate_grad_hook reinforce remainder remainder_ renorm renorm_
repeat_interleave resize resize_ resize_as resize_as_ resize_as_sparse_ resolve_conj
resolve_neg retains_grad roll rot90 round round_ row_indices scatter scatter_ scatter_add
scatter_add_ scatter_reduce scatter_reduce_ select_scatter set_ sgn sgn_ share_memory_ sign_
signbit sinc sinc_ sinh sinh_ slice_inverse slice_scatter slogdet smm solve sparse_dim
sparse_mask sparse_resize_ sparse_resize_and_clear_ split_with_sizes squeeze_ sspaddmm stft
storage storage_offset storage_type subtract_ sum_to_size svd swapaxes_ swapdims swapdims_
symeig t_ take take_along_dim tan_ tensor_split tile to_dense to_mkldnn to_padded_tensor
to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr transpose_
triangular_solve true_divide_ trunc trunc_ type unflatten unfold unique unique_consecutive
unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze_ untyped_storage values vdot
volatile vsplit xlogy xlogy_ xpu
"""
KEYWORDS = {
    "out": "assign the result",
    "device": "device='cpu'",
    "layout": "all Tensors are dense",
    "pin_memory": "all runs on the CPU",
    "memory_format": "use contiguous()",
    "is_coalesced": "all Tensors are dense",
}


class Missing:
    """A method of PyTorch's that Tensors do not have."""

    # Not Tensor.__getattr__, beside which Python takes longer to find what is there.

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        there = (n for n in dir(owner) if not isinstance(getattr_static(owner, n), Missing))
        raise absent("Tensor", self.name, there, rules=NEAREST)


def say_what_is_missing(cls: type) -> frozenset[str]:
    """Have a class meet the names of METHODS with the nearest that it has; returns those names."""
    names = frozenset(name for name in METHODS.split() if not hasattr(cls, name))
    for name in names:
        setattr(cls, name, Missing(name))
    return names


def module_getattr(module: str, later: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module of this package that has names of PyTorch's.

    ``later`` are the names that wait for their first use, with the submodules that they are in.
    """

    def getattr_(name: str) -> Any:
        if later and name in later:
            return first_use(module, name, later[name])
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
    from difflib import get_close_matches  # which most programs never need

    near = get_close_matches(keyword, known, 1, 0.6)
    hint = KEYWORDS.get(keyword) or (f"the nearest is {near[0]}=" if near else "")
    hint = hint or f"it takes {', '.join(known) or 'none'}"
    return TypeError(f"{function}: {keyword}= is not here; {hint}")
