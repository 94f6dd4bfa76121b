"""PyTorch's ``torch.autograd.functional``: the derivatives of functions.

>>> import tinygrad_mlp as tg
>>> tg.autograd.functional.hessian(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]))
tensor([[ 6.,  0.],
        [ 0., 12.]])
"""

from __future__ import annotations

from ..torch.hints import module_getattr
from .derivatives import hessian, hvp, jacobian, jvp, vjp

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

# A Hessian is symmetric, so vᵀH is (Hv)ᵀ.
vhp = hvp

__getattr__ = module_getattr(__name__)
