"""A graph as formulas: as text, in LaTeX and in MathML, and as NumPy source.

``reader`` makes ``terms`` of nodes: ``rows`` says what each op is in the ``algebra``, whose rules
simplify. A term is written from what was written of its parts (``writing``), as mathematics
(``entrywise``, ``mathematics``) in three ways (``notation``, ``mathml``), or as ``source``. Any op
is written as its row has it (``templates``). ``formula`` puts it all together, and ``deriving`` is
the way in.
"""
