"""A graph as formulas: in the notation of the field, in LaTeX, and as NumPy source.

``reader`` makes ``terms`` of nodes: ``rows`` says what each op is in the ``algebra``, whose rules
simplify. ``notation`` and ``source`` write the terms. ``formula`` puts both together, and
``derive`` is the way in.
"""
