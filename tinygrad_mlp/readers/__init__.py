"""The readers of the graph, siblings: ``derive``, ``compile``, ``explain`` and ``fuzz``."""
