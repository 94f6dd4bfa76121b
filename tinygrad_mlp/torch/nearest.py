"""PyTorch's names that are not here, and what comes nearest to each: data for ``hints``.

A row is what to say and patterns of whole names; the first row that fits counts. An in-place form
that has no row of its own, as ``round_``, is looked up without its last underscore.
"""

# What is nearest: first a name of this package or of its Tensors, then perhaps how to use it.
NEAREST = {
    "__version__": r"version torch_version",
    "device, which is the CPU": (
        r"get_device\w* set_default_device is_(cpu|i?pu|maia|meta|mps|mtia|vulkan|xla|xpu)"
    ),
    "device('cpu'), all runs on the CPU": (
        r"\w*(cuda|gpu|cudnn|miopen|vulkan)\w* cpu [himx]pu mtia mps pin_memory is_pinned"
        r" record_stream Stream Event AcceleratorError OutOfMemoryError"
    ),
    "float64, there are no complex numbers": (
        r"\w*(complex|Complex|conj|real)\w* cfloat cdouble chalf imag angle polar H mH adjoint"
        r" is_neg resolve_neg"
    ),
    "tensor, with dtype=": r"(Float|Double|Half|Long|Int|Short|Byte|Char|Bool|BFloat16)Tensor",
    "tensor, with requires_grad=True": r"[Vv]ariable",
    "float32, dtypes are bool, uint8, int8 to int64 and float16 to float64": (
        r"bfloat16 BFloat\w* float[48]\w* q?u?int\d+ quint\w+ bits\d\w* \w*quant(ize|iz)\w* quant"
        r" q_\w+ qscheme int_repr per_(channel|tensor)_\w+ fbgemm\w* fused_moving\w*"
        r" choose_qparams\w*"
    ),
    "float32, dtypes are NumPy's: numpy.finfo and numpy.iinfo take them": r"[fi]info",
    "float32, say another with dtype=": r"[gs]et_default_(dtype|tensor_type) grad_dtype",
    "dtype, whose rules are NumPy's: numpy.can_cast and the like take it": (
        r"can_cast promote_types result_type is_signed typename"
    ),
    "to, with dtype=": r"type",
    "arange": r"range",
    "linspace": r"logspace",
    "tensor": (
        r"new new_empty\w* as_subclass scalar_tensor asarray frombuffer from_\w+ to_dlpack vander"
        r" empty_(strided|permuted)"
    ),
    "zeros, all Tensors are dense": (
        r"\w*(sparse|coo|cs[rc]|bs[rc]|coalesce|nested|jagged|mkldnn)\w* to_dense dense_dim spmm"
        r" (ccol_|crow_|col_|row_)?indices(_copy)? values(_copy)? to_padded_tensor"
    ),
    "reshape, memory is out of sight, so that the tape cannot be changed behind its back": (
        r"\w*[sS]torage\w* (const_)?data_ptr share_memory_? is_shared set is_set_to"
        r" \w+_format as_strided\w* resize\w* unfold layout strided channels_last\w* dim_order"
    ),
    "clone, of the view that the rest of the name says": r"(?!index)\w+_copy",
    "autograd.grad, or Tensor.retain_grad()": (
        r"register_\w*hook retains_grad output_nr reinforce saved_tensors SavedTensor"
        r" graph forward_ad fwAD"
    ),
    "autograd.functional.jacobian, or vjp, jvp and hvp": r"vmap func jacfwd jacrev linearize",
    "testing.gradcheck, import tinygrad_mlp.testing": r"gradcheck gradgradcheck testing",
    "compile": r"jit script trace compiler export fx onnx dynamo inductor package hub",
    "compile, for speed": r"\w*[pP]rofiler\w* ThroughputBenchmark kineto_available",
    "no_grad": r"is_inference\w* inference",
    "autograd.detect_anomaly": r"\w*anomaly\w*",
    "set_grad_enabled": r"grad_mode",
    "manual_seed, or Generator": r"seed initial_seed [gs]et_rng_state fork_rng",
    "random.default_generator": r"default_generator",
    "randint": r"randint_like random",
    "rand, or randn": (
        r"multinomial bernoulli poisson binomial exponential geometric cauchy log_normal"
        r" distributions quasirandom"
    ),
    "randperm, to take batches, index with parts of randperm(n)": r"utils data DataLoader",
    "save, or load": r"serialization module_load",
    "nn.functional, or nn.Module for a layer of your own": (
        r"\w*(conv|pool|dropout|embedding|_norm|gru|lstm|rnn|_loss|relu|elu|shuffle|grid)\w*"
        r" constant_pad_nd bilinear softmin threshold hardshrink kl_div nuclear_norm functional"
        r" binary_cross_entropy_with_logits cosine_similarity norm_except_dim"
    ),
    "nn.Module": r"ModuleDict ParameterDict BufferDict",
    "norm": r"dist pairwise_distance renorm cdist pdist",
    "outer": r"ger addr",
    "matmul, the rest of linear algebra is NumPy's, of x.numpy()": (
        r"linalg svd\w* qr eig symeig cholesky\w* lu\w* inverse pinverse det logdet slogdet"
        r" \w*solve lstsq pca_lowrank lobpcg geqrf orm?gqr ormqr orgqr matrix_\w+ slice_inverse"
    ),
    "matmul, with reshape and permute": (
        r"einsum tensordot inner chain_matmul kron bilinear v?dot cross \w*(addb?mm|addmv|smm|spmm)"
    ),
    "mul, with add": r"addcdiv addcmul lerp",
    "matmul, or an op of your own, with op()": r"fft i?stft \w+_window windows signal",
    "sum": (
        r"cum\w+ logcumsumexp \w*prod nansum trapezoid trapz cumulative_\w+ diff gradient hist\w*"
        r" bincount sum_to_size segment_reduce"
    ),
    "max, and min": r"aminmax f?max cummax",
    "min, and max": r"f?min cummin",
    "mean": r"nanmean std_mean var_mean corrcoef cov",
    "sort": (
        r"\w*median mode kthvalue msort unique\w* searchsorted bucketize isin \w*quantile lexsort"
    ),
    "where, or an index, x[i] = y": (
        r"\w*scatter\w* index index_(add|copy|fill|put|reduce) put take\w* masked index_copy"
        r" unravel_index"
    ),
    "cat, or an index, x[i]": (
        r"\w*split\w* unsafe_chunk roll rot90 block_diag combinations cartesian_prod"
    ),
    "diag": r"diag\w+ fill_diagonal",
    "tril": r"tril_indices",
    "triu": r"triu_indices",
    "stack": r"\w+_stack dstack",
    "flip": r"fliplr flipud",
    "expand": r"tile repeat_interleave atleast_\dd broadcast_(shapes|tensors)",
    "movedim": r"moveaxis",
    "transpose": r"swapdims",
    "unsqueeze, or x[None]": r"newaxis",
    "reshape": r"unflatten align_\w+ rename refine_names",
    "full": r"fill",
    "Tensor.zero_": r"zero",
    "op, which makes an op of your own of a function and its VJPs": r"apply_ map2?_",
    "nonzero": r"argwhere nonzero_static is_nonzero",
    "gt": r"greater",
    "ge": r"greater_equal",
    "lt": r"less",
    "le": r"less_equal",
    "ne": r"not_equal",
    "sub": r"rsub",
    "pow": r"float_power",
    "pow, as in 2**x": r"exp2",
    "exp": r"expm1 erf\w* frexp ldexp logaddexp2? logit xlogy softplus",
    "log": r"\w*gamma\w* beta",
    "sin, or an op of your own, with op()": (
        r"a?(rc)?(sin|cos|tan)h? a(rc)?tan2 hypot deg2rad rad2deg i0 sinc"
    ),
    "clamp": r"clamp_(min|max) nan_to_num",
    "clamp, or .long(), which cuts off fractions": (
        r"round floor ceil trunc frac fix fmod remainder floor_divide"
    ),
    "sign": r"sgn copysign signbit heaviside",
    "isinf": r"is(neg|pos)inf",
    "logical_and, or & | ^ ~": r"bitwise_\w+",
    "Size": r"is_same_size",
}
# Why there is nothing like it.
NOTHING = {
    "all that runs is NumPy, on the CPU": (
        r"backends amp ao autocast\w* \w*_autocast\w* GradScaler distributed is_distributed futures"
        r" Future fork wait multiprocessing prepare_multiprocessing_environment rpc monitor"
        r" has_(lapack|mkl|openmp|spectral) compiled_with\w+ library classes overrides"
    ),
    "the threads are those of NumPy's BLAS; set OMP_NUM_THREADS before the start": (
        r"\w*(num_threads|interop_threads|multithreading\w*) threading thread_safe_generator"
    ),
    "the same program gives the same numbers each time": r"\w*deterministic\w*",
    "that is PyTorch's own, for its compiler": (
        r"\w+Type Script\w+ Static\w+ Exec\w+ \w*(Graph|Schema|Execution|Serializ)\w* Block Value"
        r" Argument\w* CallStack Code CompilationUnit Node Use JITException sym_\w+ Sym\w+"
        r" import_ir\w* parse_\w+ merge_type\w* unify_type\w* cond while_loop"
    ),
    "float32 is computed in float32": r"\w*float32_matmul_precision set_flush_denormal",
    "its warnings are Python's": r"\w*_warn_always\w*",
}
# What is not in these tables and not spelled like anything.
OTHERWISE = "op, which makes an op of your own of a function and its VJPs"

# By module: what is nearest to some of PyTorch's other names in it, and to those with a pattern.
MODULES: dict[str, tuple[dict[str, str], tuple[tuple[str, str], ...]]] = {
    "nn": (
        {
            "BCELoss": "BCEWithLogitsLoss, which takes logits",
            "Dropout": "Identity, which drops nothing",
            "ELU": "ReLU",
            "GELU": "ReLU",
            "L1Loss": "MSELoss",
            "LazyLinear": "Linear, which is told in_features",
            "LeakyReLU": "ReLU",
            "ModuleDict": "Sequential, which takes a dict of names",
            "ModuleList": "Sequential, whose Modules can be indexed and looped over",
            "NLLLoss": "CrossEntropyLoss, which takes logits",
            "SiLU": "Sigmoid, as x * x.sigmoid() is SiLU",
            "Softplus": "functional.logsigmoid, as -logsigmoid(-x) is softplus",
            "init": "Linear, which starts as PyTorch's does; set others by .data",
            "utils": "Parameter, as its .grad may be scaled before optimizer.step()",
        },
        (
            (
                r"(?i)conv|pool|fold|pixel|upsampl|pad|shuffle|grid|affine|interpolate",
                "Linear, after Flatten",
            ),
            (r"(?i)rnn|lstm|gru|attention|transformer|embedding|bilinear|one_hot|cell", "Linear"),
            (
                r"(?i)loss|entropy|kl_div|nll|distance|similarity|hinge|ctc",
                "CrossEntropyLoss, or MSELoss, BCEWithLogitsLoss",
            ),
            (r"(?i)softm|gumbel", "Softmax"),
            (r"(?i)sigmoid|glu|silu|swish", "Sigmoid"),
            (r"(?i)relu|elu|gelu|mish|shrink|plus|softsign|tanh", "ReLU, or Tanh, Sigmoid"),
            (r"(?i)list|dict|parallel|lazy|container|unflatten", "Sequential"),
            (r"(?i)init|param|buffer|xavier|kaiming|orthogonal", "Parameter"),
            (r"", "Module, which your own layers are made of"),
        ),
    ),
    "nn.functional": (
        {
            "binary_cross_entropy": "binary_cross_entropy_with_logits",
            "gelu": "relu",
            "l1_loss": "mse_loss",
            "leaky_relu": "relu",
            "nll_loss": "cross_entropy, which takes logits",
            "one_hot": "eye(n)[classes]",
            "softplus": "logsigmoid, as -logsigmoid(-x) is softplus",
        },
        (
            (r"(?i)conv|pool|fold|pixel|upsampl|pad|shuffle|grid|affine|interpolate", "linear"),
            (r"(?i)rnn|lstm|gru|attention|embedding|bilinear|cell", "linear"),
            (
                r"(?i)loss|entropy|div|distance|similarity|ctc",
                "cross_entropy, or mse_loss, binary_cross_entropy_with_logits",
            ),
            (r"(?i)softm|gumbel", "softmax"),
            (r"(?i)sigmoid|glu|silu|swish", "sigmoid"),
            (r"(?i)relu|elu|mish|shrink|plus|softsign|tanh|threshold", "relu, or tanh, sigmoid"),
            (r"", "linear, with the functions and methods of Tensors"),
        ),
    ),
    "optim": (
        {"RMSprop": "Adam", "Adagrad": "Adam", "LBFGS": "Adam", "RAdam": "Adam", "NAdam": "Adam"},
        (
            (r"(?i)lr|schedul|swa", "lr_scheduler"),
            (r"(?i)adam|rms|ada|prop|lion", "Adam, or AdamW, SGD"),
            (r"", "SGD, or Adam, AdamW"),
        ),
    ),
    "optim.lr_scheduler": (
        {"MultiStepLR": "StepLR", "LambdaLR": "StepLR, or set param_groups[i]['lr'] yourself"},
        (("", "StepLR, or ExponentialLR, CosineAnnealingLR"),),
    ),
}

KEYWORDS = {
    "out": "assign the result",
    "device": "device='cpu'",
    "layout": "all Tensors are dense",
    "pin_memory": "all runs on the CPU",
    "memory_format": "use contiguous()",
    "is_coalesced": "all Tensors are dense",
}

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
