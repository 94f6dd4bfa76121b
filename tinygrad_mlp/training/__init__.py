"""Training the two-layer network on real data, as ``tinygrad-mlp train`` does it.

``data`` reads tables and makes a problem of one, ``loop`` trains and keeps what a run needs to go
on, ``against`` is the same training in PyTorch and scikit-learn, and ``plot`` draws the curves.
"""
