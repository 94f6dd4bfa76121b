"""Training the two-layer network on real data, as ``tinygrad-mlp train`` does it.

``tables`` reads what is to be learned from, ``problems`` splits and scales it, ``loop`` trains and
keeps what a run needs to go on, ``against`` is the same training in PyTorch and scikit-learn,
``session`` takes a run to its end, and ``report`` and ``plot`` show it.
"""
