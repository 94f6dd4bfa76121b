"""How many examples the property tests try, and which tests can run here.

``quick`` is for the developer's loop and the default, ``few`` is for mutants (mutation.py),
``thorough`` is for CI, and ``soak`` is what a property must survive once before it is called done:
HYPOTHESIS_PROFILE=soak python -m pytest …
"""

import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

# Tests run side by side already. NumPy, which is not imported yet, reads this when it is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What a shell runs in the background ignores Ctrl-C, and so would the commands that are tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

for name, examples in {"few": 10, "quick": 50, "thorough": 100, "soak": 100_000}.items():
    settings.register_profile(
        name,
        max_examples=examples,
        # In CI the same examples each time; elsewhere new ones, and failures are remembered.
        derandomize="CI" in os.environ,
        # How long an example takes says more about the machine than about the code.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# So that what these assert is shown, and holds under python -O too.
pytest.register_assert_rewrite("notebooks", "readme", "support")

# What these files import at the top is what they compare with, or look through.
collect_ignore_glob = []
if find_spec("torch") is None:
    collect_ignore_glob.append("*_against_torch.py")
if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
    collect_ignore_glob.append("*_page.py")
if find_spec("importlinter") is None:
    collect_ignore_glob.append("*_contracts.py")


@pytest.fixture(autouse=True)
def imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test imported from a folder of its own does not answer the imports of the next."""
    modules, path = set(sys.modules), sys.path[:]
    yield
    sys.path[:] = path
    folder = str(tmp_path_factory.getbasetemp())
    for name in sys.modules.keys() - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(folder):
            del sys.modules[name]
