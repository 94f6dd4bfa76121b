"""The commands, each in the module of its name.

Such a module has ``PARENTS``, which are parsers with the options that it shares with others, and
two functions: ``add`` adds the options that only it takes, and ``run`` is given the options, runs,
and returns the exit status. The help of a command is its line here and the docstring of ``run``.
"""

COMMANDS = {
    "experiment": "Compare the tape with the closed form on the two-layer network.",
    "compare": "Compare a function here and under PyTorch: numbers, time, memory.",
    "derive": "Print gradients as formulas, which the tape derives by itself.",
    "explain": "Show the tape: what each op computed, and what flows back.",
    "fuzz": "Check the gradients of random programs against other libraries.",
    "train": "Train the two-layer network on real data.",
    "tutorial": "Write the tutorial: five notebooks, into a folder.",
}
DEFAULT = "experiment"
