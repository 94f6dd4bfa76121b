"""``tinygrad-mlp fuzz``: random programs against other libraries."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import Run, count, duration, seed, words


def fuzz(parser: ArgumentParser) -> Run:
    """Check the gradients of random programs against other libraries.

    Runs random programs over the table of ops and compares values, gradients
    and, with --order 2, gradients of gradients with one or more oracles. What
    differs by more than rounding explains is made as small as it gets, printed,
    and saved as a script. The exit status is 0 if no difference was found, 1 if
    one was, and 2 where the command could not run.

    oracles:
      torch        PyTorch, the default where it is installed
      jax          JAX
      autograd     HIPS autograd
      complex      Im f(x + ih) / h, exact to rounding; else the default
      finite       finite differences, with an error estimate
      closed-form  the two-layer network's gradients, worked out by hand
    """
    parser.add_argument("--against", type=words, metavar="ORACLE,…", help="one oracle or more")
    parser.add_argument("--examples", type=count, default=1000, metavar="N", help="(1000)")
    parser.add_argument("--minutes", type=duration, metavar="M", help="in place of --examples")
    parser.add_argument("--seed", type=seed, default=0, help="of the programs (0)")
    parser.add_argument("--ops", type=words, metavar="OP,…", help="of these ops only")
    parser.add_argument("--order", type=int, choices=(1, 2), default=1, help="of derivatives (1)")
    parser.add_argument(
        "--break",
        dest="mistake",
        metavar="OP[:MISTAKE]",
        help="make a classic mistake in an op's VJP, or each in turn, and see it caught",
    )
    parser.add_argument("--replay", metavar="FILE", help="run a saved program only")
    parser.add_argument(
        "--corpus",
        default="fuzz-failures",
        metavar="FOLDER",
        help="where failures are saved, and replayed from first (fuzz-failures)",
    )
    parser.add_argument("--jobs", type=count, metavar="N", help="processes (one per CPU)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")

    def run(options: Namespace) -> int:
        from ..testing.fuzzing import command
        from ..testing.oracles import Unavailable

        try:
            return command(options)
        except (Unavailable, ValueError, OSError) as error:
            parser.error(str(error))

    return run
