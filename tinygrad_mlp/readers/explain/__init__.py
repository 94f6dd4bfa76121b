"""The tape, shown: in the terminal, in Jupyter, as a graph, and as a page to step through.

``record`` reads what the tape holds and what flows back, ``rules`` writes the formulas, and
``explanation`` puts both together, for the ``views`` to show. ``explaining`` is the way in.
"""
