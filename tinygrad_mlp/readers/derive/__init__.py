"""A graph as formulas: as text, in LaTeX and in MathML, and as NumPy source.

``reader`` makes ``terms`` of nodes: ``rows`` says what each op is in the ``algebra``, whose rules
simplify. What is written of the terms follows from ``mathematics`` and the rows: ``notation`` has
it as text and in LaTeX, ``mathml`` as elements of a page; ``source`` writes NumPy. ``formula`` puts
it all together, and ``deriving`` is the way in.
"""
