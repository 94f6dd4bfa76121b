"""A graph as a program: straight-line NumPy on buffers that are made once."""
