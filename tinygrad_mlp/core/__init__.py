"""The idea, on NumPy alone: ``ops``, the table; ``tape``, the walk back; ``tensor``, the Tensor."""
