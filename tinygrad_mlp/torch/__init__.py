"""PyTorch's names and habits over the core."""
