"""An explained tape holds what went forward and what flows back, and shows it in many ways."""

import gc
import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from numpy import ndarray
from support import ROOT, value, weights

import tinygrad_mlp as tg
from tinygrad_mlp.commands import cli
from tinygrad_mlp.experiment import two_layer
from tinygrad_mlp.readers.derive.mathml import grouped, markup
from tinygrad_mlp.readers.explain.explaining import Explanation
from tinygrad_mlp.readers.explain.views import plot, terminal
from tinygrad_mlp.readers.explain.views.page import MOST, page
from tinygrad_mlp.readers.explain.views.summary import cells, summary
from tinygrad_mlp.readers.fuzz import programs, running
from tinygrad_mlp.testing.strategies import programs as any_program

HOSTILE = "</script><img src=x onerror=alert(1)>\"'`$&\\{}#\u2028\x1b[31m"


def explained_two_layer(**options: object) -> tuple[list[tg.Tensor], Explanation]:
    tensors = list(two_layer.problem(**options))
    for name, t in zip(two_layer.NAMES, tensors, strict=True):
        t.named(name)
    return tensors, tg.explain(two_layer.loss(*tensors))


# What the tape holds.


def test_values_and_flows_of_the_two_layer_network() -> None:
    tensors, found = explained_two_layer(shape=(7, 3, 5, 2), bias="row", dtype="float64")
    x, y, w1, w2, b1, b2 = map(value, tensors)
    h = x @ w1 + b1
    s = 1 / (1 + np.exp(-h))
    y_p = s @ w2 + b2
    forward = [x, y, w1, w2, b1, b2, x @ w1, h, s, s @ w2, y_p, y - y_p, (y - y_p) ** 2]
    forward.append(((y - y_p) ** 2).sum())
    assert [e.op for e in found.entries] == [
        *[None] * 6, "matmul", "add", "sigmoid", "matmul", "add", "sub", "pow", "sum",
    ]  # fmt: skip
    for entry, expected in zip(found.entries, forward, strict=True):
        np.testing.assert_allclose(entry.value, expected, rtol=1e-13)

    by_y = 2 * (y - y_p)
    by_s = -by_y @ w2.T
    by_h = by_s * s * (1 - s)
    flows = [
        [np.ones((7, 2))], [by_y], [by_y, -by_y], [-by_y, -by_y.sum(0, keepdims=True)],
        [by_s, -s.T @ by_y], [by_h], [by_h, by_h.sum(0, keepdims=True)], [by_h @ w1.T, x.T @ by_h],
    ]  # fmt: skip
    assert [step.entry for step in found.backward] == list(range(13, 5, -1))
    arrives = [np.ones(()), np.ones((7, 2)), by_y, -by_y, -by_y, by_s, by_h, by_h]
    for step, arriving, leaving in zip(found.backward, arrives, flows, strict=True):
        np.testing.assert_allclose(step.arrives, arriving, rtol=1e-12)
        for one, expected in zip(step.leaves, leaving, strict=True):
            np.testing.assert_allclose(one.cotangent, expected, rtol=1e-11, atol=1e-14)


@given(any_program(most=6))
def test_values_are_the_programs_and_gradients_are_backwards(program: programs.Program) -> None:
    leaves = [tg.tensor(leaf.array(), requires_grad=True) for leaf in program.leaves]
    values = running.run(program, tg, leaves)
    for place in program.outputs:
        output = values[place]
        v = tg.tensor(weights(output.shape, dtype=output.dtype))
        for leaf in leaves:
            leaf.grad = None
        found = tg.explain(output, v)
        made = {x._node: x for x in values}
        for entry, node in zip(found.entries, found._record.nodes, strict=True):
            if node in made:
                np.testing.assert_array_equal(entry.value, made[node]._array)
        assert all(leaf.grad is None for leaf in leaves)
        # Everything can be written, and nothing that comes out is broken.
        assert max(map(terminal.width, str(found).splitlines())) <= terminal.WIDTH
        ElementTree.fromstring(found._repr_mimebundle_()["text/html"])
        output.backward(v, retain_graph=True)
        for leaf in leaves:
            g = found.gradient(leaf)
            assert (g is None) == (leaf.grad is None)
            if g is not None:
                np.testing.assert_array_equal(g, np.asarray(leaf.grad))


def test_an_input_used_twice_gets_two_cotangents_that_add_up() -> None:
    x = tg.tensor([1.0, 3.0], requires_grad=True)
    found = tg.explain((x * x.exp()).sum())
    into_x = [one for step in found.backward for one in step.leaves if one.entry == 0]
    assert [one.adds for one in into_x] == [False, True]
    np.testing.assert_allclose(into_x[0].cotangent, np.exp([1, 3]), rtol=1e-6)
    np.testing.assert_allclose(into_x[1].total, np.exp([1, 3]) * [2, 4], rtol=1e-6)
    assert " += " in str(found)
    square = tg.explain(x[0] * x[0])
    assert [one.input for one in square.backward[0].leaves] == [0, 1]


def test_nothing_changes() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).sum().backward()
    output = (x * x).sum()
    found = tg.explain(output)
    assert value(x.grad).tolist() == [2, 2]
    (leaf,) = found.leaves
    assert (leaf.before.tolist(), leaf.gradient.tolist()) == ([2, 2], [2, 4])
    assert leaf.after.tolist() == [4, 6]
    assert "added to what was there" in str(found)
    output.backward()
    assert value(x.grad).tolist() == [4, 6]


def test_values_that_the_tape_keeps_outlive_their_tensors() -> None:
    def loss() -> tg.Tensor:
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        b = tg.tensor([5.0, 6.0], requires_grad=True)
        return (x**2 + b).sum()

    output = loss()
    gc.collect()
    found = tg.explain(output)
    x, b, squared, total, result = [entry.value for entry in found.entries]
    assert x.tolist() == [1, 2]  # pow keeps it for its VJP
    assert squared.tolist() == [1, 4]  # computed again
    assert b is None  # nobody does
    assert total is None
    assert result == 16
    assert terminal.GONE in str(found)
    assert found.leaves[1].gradient.tolist() == [1, 1]
    for text in (page(found), found._repr_mimebundle_()["text/html"]):
        assert "no longer held" in text


def test_a_leaf_changed_in_place_does_not_pass_for_what_was_used() -> None:
    b = tg.tensor([1.0, 2.0], requires_grad=True)
    output = (b + 1).sum()
    with tg.no_grad():
        b += 10
    assert tg.explain(output).entries[0].value is None
    assert tg.explain((b + 1).sum()).entries[0].value.tolist() == [11, 12]


def test_a_vjp_with_a_will_of_its_own_is_found_out() -> None:
    calls = iter(range(9))
    odd = tg.op(lambda x: x * 1, lambda g: g * next(calls), name="odd")
    with pytest.raises(RuntimeError, match="depend on nothing but its arguments"):
        tg.explain(odd(tg.tensor([1.0], requires_grad=True)))


def test_an_op_of_ones_own() -> None:
    double = tg.op(lambda x: 2 * x, lambda g: 2 * g, name="double", formula="2 x")
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    found = tg.explain(double(x).sum())
    assert found.backward[1].leaves[0].rule.text.startswith("2 ")
    assert found.leaves[0].gradient.tolist() == [2, 2]


def test_errors_say_what_to_do() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    output = (x * x).sum()
    output.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        tg.explain(output)
    with pytest.raises(RuntimeError, match="requires_grad=True on an input"):
        tg.explain(tg.tensor(1.0))
    with pytest.raises(ValueError, match=r"explain: .*\(2,\)"):
        tg.explain(x * x)
    with pytest.raises(TypeError, match="a Tensor or a function"):
        tg.explain(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is for a function"):
        tg.explain((x * x).sum(), y=x)
    with pytest.raises(TypeError, match="must return a Tensor"):
        tg.explain(lambda x: 3, x=1.0)


# Names and formulas.


def test_names_are_the_variables() -> None:
    def loss(x: tg.Tensor, w: tg.Tensor) -> tg.Tensor:
        hidden = x @ w
        w = hidden.exp()
        return w.sum()

    found = tg.explain(loss, x=[[1.0, 2.0]], w=[[3.0], [4.0]])
    assert [e.name.text for e in found.entries] == ["x", "w", "hidden", "w_2", "f"]
    a = tg.tensor([1.0, 2.0], requires_grad=True)
    data = tg.tensor([3.0, 4.0])
    loss_value = (a * data).sum()
    found = tg.explain(loss_value)
    assert [e.name.text for e in found.entries] == ["a", "v1", "loss_value"]
    assert found.entries[1].computes.text == "a ⊙ data"
    named = tg.explain(loss_value, names={"weights": a})
    assert named.entries[0].name.text == "weights"
    a.named("first")
    assert tg.explain(loss_value, names={"weights": a}).entries[0].name.text == "first"


def test_a_profiler_at_work_goes_on() -> None:
    seen = []

    def profile(frame: object, event: str, argument: object) -> None:
        seen.append(event)

    sys.setprofile(profile)
    try:
        found = tg.explain(lambda x: x * x, x=2.0)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
    assert "call" in seen
    assert [e.name.text for e in found.entries] == ["x", "f"]


def test_formulas_of_the_two_layer_network() -> None:
    _, found = explained_two_layer()
    assert [e.computes.text for e in found.entries if e.computes] == [
        "x w1", "v1 + b1", "σ(v2)", "v3 w2", "v4 + b2", "y − v5", "v6²", "Σ v7",
    ]  # fmt: skip
    rules = {x.derivative.text: x.rule for step in found.backward for x in step.leaves}
    assert rules["∂f/∂w1"].text == "xᵀ ∂f/∂v1"
    assert rules["∂f/∂v2"].text == "∂f/∂v3 ⊙ v3 ⊙ (1 − v3)"
    assert rules["∂f/∂w1"].latex == r"x^{\top} \, \frac{\partial f}{\partial v_{1}}"


def test_a_derivative_is_bracketed_where_it_is_transposed() -> None:
    a = tg.tensor([[1.0, 2.0]], requires_grad=True)
    found = tg.explain((a.T * 2).sum())
    assert found.backward[-1].leaves[0].rule.text == "(∂f/∂v1)ᵀ"


def test_formulas_are_typeset_as_they_are_written() -> None:
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x_1")
    found = tg.explain((x.exp() @ tg.ones(2, 1)).sum())
    rule = found.backward[1].leaves[0]
    assert rule.rule.text == "∂f/∂v2 𝟏ᵀ"
    derivative = (
        "<mfrac><mrow><mi>∂</mi><mi>f</mi></mrow>"
        "<mrow><mi>∂</mi><msub><mi>v</mi><mn>{}</mn></msub></mrow></mfrac>"
    )
    assert markup(grouped(rule.derivative.mathml)) == derivative.format(1)
    assert markup(grouped(rule.rule.mathml)) == (
        f'<mrow>{derivative.format(2)}<mspace width="0.17em"></mspace>'
        "<msup><mn>𝟏</mn><mi>⊤</mi></msup></mrow>"
    )
    leaf = found.entries[0].name
    assert markup(grouped(leaf.mathml)) == "<msub><mi>x</mi><mn>1</mn></msub>"


# Figures.


def test_summary() -> None:
    assert str(summary(np.array([[3.0, -4.0]]))) == "1×2  -4 … 3  norm 5"
    assert summary(np.array([1e200, 1e200])).norm == pytest.approx(2**0.5 * 1e200)
    assert summary(np.array([np.nan, 2.0])).range == "2 and 1 nan"
    assert summary(np.array([np.nan])).range == "nan"
    assert summary(np.array([np.inf, 1.0])).range == "1 … inf"
    assert str(summary(np.zeros((0, 3)))) == "0×3  no entries  norm 0"
    assert str(summary(np.array(True))) == "1"


@pytest.mark.parametrize("shape", [(), (5,), (0,), (3, 0), (50, 30), (7, 11, 13), (1, 900)])
@pytest.mark.parametrize("most", [16, 200])
def test_cells_are_the_means_of_blocks(shape: tuple[int, ...], most: int) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    found = cells(array, most)
    assert found.rows * found.columns == found.means.size <= max(most, 1)
    table = array.reshape(-1, shape[-1] if shape else 1) if array.size else array
    down, across = found.block
    for row in range(found.rows):
        for column in range(found.columns):
            block = table[row * down : (row + 1) * down, column * across : (column + 1) * across]
            np.testing.assert_allclose(
                found.means.reshape(found.rows, -1)[row, column], block.mean()
            )


def test_means_of_the_least_the_largest_and_what_is_not_finite() -> None:
    for entry in (1e-20, 5e-324, 1.7e308):
        np.testing.assert_allclose(cells(np.full((30, 30), entry), 16).means, entry, rtol=1e-12)
    some = np.ones((4, 4))
    some[0, :3], some[2, 0], some[2, 2] = [np.inf, -np.inf, np.nan], np.inf, np.nan
    np.testing.assert_array_equal(cells(some, 4).means, [[np.nan, np.nan], [np.inf, np.nan]])


# The terminal.


class Terminal:
    """Stands for a stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.wants_colours(Terminal())  # type: ignore[arg-type]
    with open(os.devnull, encoding="utf-8") as file:
        assert not terminal.wants_colours(file)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.wants_colours(Terminal())  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "")
    assert terminal.wants_colours(Terminal())  # type: ignore[arg-type]
    monkeypatch.setenv("TERM", "dumb")
    assert not terminal.wants_colours(Terminal())  # type: ignore[arg-type]


def test_colours_change_nothing_but_colours() -> None:
    _, found = explained_two_layer(shape=(2, 1, 3, 1))
    plain = list(terminal.lines(found))
    coloured = list(terminal.lines(found, terminal.Style(True)))
    assert any("\x1b[" in line for line in coloured)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in coloured] == plain


def test_wide_characters_and_long_names_fit() -> None:
    x = tg.tensor(np.ones((3, 3)), requires_grad=True, name="長い名前" * 20)
    found = tg.explain((x @ x + x).sum())
    for line in str(found).splitlines():
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
        assert len(line) + wide <= 80
    assert "…" in str(found)


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "explain", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )


def keyed(keys: bytes, **environment: str) -> tuple[int, str, list[object]]:
    """The exit status and the output of --step on a terminal where these keys are pressed."""
    import pty
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "tinygrad_mlp", "explain", "--step", "--shape", "2", "1", "3", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=claim_terminal,
    )
    shown = b""
    pressed = False
    overdue = threading.Timer(60, process.kill)
    overdue.start()
    while process.poll() is None or select.select([master], [], [], 0.1)[0]:
        if select.select([master], [], [], 0.1)[0]:
            shown += os.read(master, 65536)
        if not pressed and b"step 1 of" in shown:
            os.write(master, keys)
            pressed = True
    overdue.cancel()
    changed = termios.tcgetattr(slave) != before
    os.close(master)
    os.close(slave)
    return process.returncode, shown.decode(), [changed]


def claim_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_step_shows_a_step_for_each_key() -> None:
    status, shown, (changed,) = keyed(b" " * 22, NO_COLOR="1")
    assert (status, changed) == (0, False)
    text = re.sub(r"step \d+ of 23.*?\r\x1b\[K", "", shown.replace("\r\n", "\n"))
    _, found = explained_two_layer(shape=(2, 1, 3, 1))
    tape = Explanation(two_layer.loss(*(ts := two_layer.problem(shape=(2, 1, 3, 1)))), names={
        t._node: name for t, name in zip(ts, two_layer.NAMES, strict=True)
    })  # fmt: skip
    assert len(found.entries) + len(found.backward) + 1 == 23
    # The names of inner values are those of the function's variables.
    assert "h_s" in text
    assert "y_p" in text
    assert text.count("arrives") == str(tape).count("arrives") == 8
    assert text.rstrip().splitlines()[-1].startswith("b2")
    assert "\x1b[3" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
@pytest.mark.parametrize(
    ("keys", "status"),
    [(b"  q", 0), (b" \x1b[C\x1b[D\x1b", 0), (b"\x04", 0), (b" \x03", 130), (b"xyz?\nq", 0)],
    ids=["q", "arrows and escape", "end of input", "Ctrl-C", "other keys"],
)
def test_step_ends_and_leaves_the_terminal_as_it_was(keys: bytes, status: int) -> None:
    found, shown, (changed,) = keyed(keys)
    assert (found, changed) == (status, False)
    assert "Traceback" not in shown
    assert "What backward() leaves" not in shown


def test_step_goes_back() -> None:
    import io

    _, found = explained_two_layer(shape=(2, 1, 3, 1))
    out = io.StringIO()
    terminal.walk(found, iter(["n", "n", "b", "\x1b[D", "\x1b[D"]), out, terminal.PLAIN)
    steps = re.findall(r"step (\d+) of", out.getvalue())
    assert steps == ["1", "2", "3", "2", "1"]


# The command.


def test_command_prints_the_tape() -> None:
    found = run()
    assert (found.returncode, found.stderr) == (0, "")
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert "\x1b" not in found.stdout
    assert "∂f/∂h_s = ∂f/∂v3 w2ᵀ" in found.stdout
    assert "f = ‖Y − σ(X W1 + b1) W2 − b2‖²\nN = 100, D = 1, H = 20, O = 1" in found.stdout


def test_json_has_the_gradients_of_the_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--json", "--full", "--seed", "4", "--shape", "5", "2", "3", "2", "--bias", "vector"]
    assert cli.main(["explain", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert cli.main(["experiment", *options]) == 0
    expected = json.loads(capsys.readouterr().out)
    for leaf in found["leaves"]:
        gradient = expected["gradients"][leaf["name"]]
        assert leaf["gradient"]["entries"] == gradient["tape"]
        assert leaf["gradient"]["shape"] == gradient["shape"]
    assert found["forward"][-1]["value"]["entries"] == [expected["loss"]]
    assert cli.main(["explain", "--json", "--dtype", "float64"]) == 0
    short = json.loads(capsys.readouterr().out)
    assert len(short["forward"][0]["value"]["entries"]) == 5
    assert short["forward"][0]["value"]["dtype"] == "float64"


SOURCE = """
import tinygrad_mlp as tg

def attention(q, k, v, scale=2.0):
    weights = (q @ k.T / scale).softmax(dim=1)
    return ((weights @ v) ** 2).mean()

def fails(x):
    raise KeyError("inside")

def vector(x):
    return x * 2

"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return str(path)


def test_a_function_of_the_users(source: str, tmp_path: Path) -> None:
    page_file = tmp_path / "tape.html"
    arguments = [f"{source}:attention", "--shapes", "3x4", "5×4", "5,2", "--seed", "1"]
    found = run(*arguments, "--json", "--html", str(page_file))
    assert found.returncode == 0, found.stderr
    names = [entry["name"] for entry in json.loads(found.stdout)["forward"]]
    assert names[:3] == ["q", "k", "v"]
    assert "weights" in names
    assert page_file.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{}:vector", "--shapes", "3"], "explain: an output of shape (3,) needs a gradient"),
        (["--json", "--dot"], "--dot: not allowed with argument --json"),
        (["--dot", "--full"], "--full goes with --json"),
        (["--step"], "--step needs a terminal"),
        (["--html", "/nowhere/x.html"], "--html: /nowhere/x.html: No such file"),
        (["--shape", "99999999", "9", "9", "9"], "choose sizes"),
    ],
)
def test_bad_usage_is_one_line(
    options: list[str], message: str, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", *(option.format(source) for option in options)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "explain: explain:" not in error
    assert error.count("\n") == 1


def test_an_error_in_the_users_function_shows_where(source: str) -> None:
    found = run(f"{source}:fails", "--shapes", "3")
    assert found.returncode == 1
    assert "KeyError: 'inside'" in found.stderr
    assert "mine.py" in found.stderr
    assert "naming.py" not in found.stderr


# The graph.


def test_mermaid_and_dot_hold_every_node_and_edge() -> None:
    _, found = explained_two_layer()
    lines = found.to_mermaid().splitlines()
    assert lines[0] == "flowchart TD"
    assert len([line for line in lines if "-->" in line]) == 13
    assert '    n8["v3 = sigmoid<br/>100×20"]' in lines
    assert "    n7 --> n8" in lines
    dot = found.to_dot()
    assert '    n0 [label="x\\n100×1", shape=ellipse]' in dot
    assert dot.count("->") == 13


def test_a_long_tape_in_jupyter_is_cut() -> None:
    y = tg.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(250):
        y = y.sin()
    text = tg.explain(y.sum())._repr_mimebundle_()["text/html"]
    assert "… and 52 more; save_html(path) shows all" in text
    assert "… and 302 more" in text
    ElementTree.fromstring(text)


def test_hostile_names_in_mermaid_and_dot() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name=HOSTILE)
    found = tg.explain((x * tg.tensor([3.0, 4.0], name='"]; evil')).sum())
    label = r'"[^"<>`]*(<br/>[^"<>`]*)?"'
    for line in found.to_mermaid().splitlines()[1:]:
        assert re.fullmatch(rf"    [nc]\d+(\(\[{label}\]\)|\[{label}\]| --> n\d+)", line)
    for line in found.to_dot().splitlines()[2:-1]:
        assert re.fullmatch(r'    [nc]\d+( \[label="([^"\\]|\\.)*"[^"]*\]| -> n\d+)', line)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_it() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name=HOSTILE)
    text = tg.explain((x * x).sum()).to_dot()
    drawn = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, encoding="utf-8")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert drawn.stdout.count('class="node"') == 3
    assert drawn.stdout.count('class="edge"') == 3


# Jupyter.


def test_a_tensor_in_jupyter() -> None:
    x = tg.tensor([[1.0, -2.0], [0.0, 4.0]], requires_grad=True, name=HOSTILE)
    element = ElementTree.fromstring(x._repr_html_())
    text = "".join(element.itertext())
    assert '"</script><img src=x onerror=alert(1)>' in text
    assert "2×2  -2 … 4  norm 4.583" in text
    assert len(element.findall(".//td")) == 4
    assert "made by exp" in x.exp()._repr_html_()
    assert "<table" not in tg.tensor(1.0)._repr_html_()
    for odd in (tg.tensor([np.nan, np.inf]), tg.zeros(0, 3), tg.tensor([True]), tg.randn(99, 99)):
        ElementTree.fromstring(odd._repr_html_())


def test_an_explained_tape_in_jupyter() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="<b>")
    bundle = tg.explain((x * x).sum())._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Forward")
    element = ElementTree.fromstring(bundle["text/html"])
    assert element.findall(".//math")
    assert not element.findall(".//b")
    assert "<b>" in "".join(element.itertext())


# The page, as far as it can be told without a browser; the rest is in test_explain_page.py.


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    return parser.found


def data_of(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_is_one_file_and_names_are_data() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name=HOSTILE)
    plain = page(tg.explain((x * x).sum(), names={}))
    harmless = page(tg.explain((tg.tensor([1.0, 2.0], requires_grad=True) ** 2).sum()))
    assert [tag for tag, _ in tags(plain)] == [tag for tag, _ in tags(harmless)]
    for _, attributes in tags(plain):
        assert not {"src", "style", "onload", "onerror"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
    assert "http" not in plain.replace("http-equiv", "").replace("http://www.w3.org/", "")
    names = [entry["name"] for entry in data_of(plain)["entries"]]  # type: ignore[union-attr]
    assert names[0].startswith('"</script><img src=x onerror=alert(1)>')
    titled = page(Explanation((x * x).sum(), title=f"{HOSTILE}\n{HOSTILE}{{{{data}}}}"))
    assert [tag for tag, _ in tags(titled)] == [tag for tag, _ in tags(plain)]


def test_a_title_that_is_no_text_leaves_a_whole_page(tmp_path: Path) -> None:
    # As the name of a file is that the system's encoding does not cover.
    x = tg.tensor(2.0, requires_grad=True)
    path = tmp_path / "tape.html"
    Explanation(x * x, title="caf\udce9.py:f").save_html(path)
    text = path.read_text(encoding="utf-8")
    assert "<h1>caf?.py:f</h1>" in text
    assert text.endswith("</html>\n")


def test_the_page_has_every_entry_of_small_arrays_and_means_of_large_ones() -> None:
    x = tg.tensor(np.float32([0.1, np.nan, np.inf, 1e-45]), requires_grad=True)
    arrays = data_of(page(tg.explain((x * 1).sum())))["arrays"]
    assert arrays[0]["cells"] == [0.1, "nan", "inf", 1e-45]  # type: ignore[index]
    big = tg.randn(300, 200, requires_grad=True)
    (first, *_) = data_of(page(tg.explain(big.sum())))["arrays"]  # type: ignore[misc]
    assert (first["shape"], first["block"]) == ([300, 200], [5, 3])
    assert len(first["cells"]) == first["rows"] * first["columns"] <= MOST
    vanishing = tg.full((300, 300), 1.25e-20, requires_grad=True)
    (first, *_) = data_of(page(tg.explain(vanishing.sum())))["arrays"]  # type: ignore[misc]
    assert set(first["cells"]) == {1.25e-20}


# Plots.


def test_plot_of_a_function_is_against_the_formula_of_derive(source: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    path = tmp_path / "gradients.png"
    found = run(f"{source}:attention", "--shapes", "3x4", "5x4", "5x2", "--plot", str(path))
    assert (found.returncode, found.stderr) == (0, "")
    assert "by the formula of derive" in found.stdout
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("/nowhere/x.png", "--plot: /nowhere/x.png: No such file"),
        ("x.nothing", "--plot: Format 'nothing' is not supported"),
    ],
)
def test_a_plot_that_cannot_be_written_is_one_line(
    file: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    for command in ("explain", "experiment"):
        with pytest.raises(SystemExit):
            cli.main([command, "--plot", file])
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


@pytest.fixture
def pairs() -> dict[str, tuple[ndarray, ndarray]]:
    rng = np.random.default_rng(0)
    shapes = {"∂f/∂w": (3, 4), "number": (), "$": (5,), "none": (0, 2), "three axes": (2, 3, 2)}
    return {name: (a := rng.normal(size=shape), a + 1e-9) for name, shape in shapes.items()}


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot(suffix: str, pairs: dict[str, tuple[ndarray, ndarray]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    path = tmp_path / f"gradients.{suffix}"
    plot.save(path, pairs, title="$x")
    assert path.stat().st_size > 1000
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.save(path, {"none": pairs["none"]})


def test_plot_of_the_experiment_shows_the_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(plot, "save", lambda path, pairs, *rest: drawn.update(pairs))
    assert cli.main(["--plot", "x.png", "--seed", "2", "--shape", "3", "2", "4", "1"]) == 0
    tensors = two_layer.problem(2, (3, 2, 4, 1))
    two_layer.loss(*tensors).backward()
    for name, t in zip(two_layer.NAMES, tensors, strict=True):
        tape, closed = drawn[f"∂f/∂{name}"]
        np.testing.assert_array_equal(tape, np.asarray(t.grad))
        np.testing.assert_allclose(closed, tape, rtol=1e-4)


def test_a_missing_matplotlib_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for command in (["experiment"], ["explain"]):
        with pytest.raises(SystemExit):
            cli.main([*command, "--plot", "x.png"])
        assert "pip install 'tinygrad-mlp[plot]'" in capsys.readouterr().err
