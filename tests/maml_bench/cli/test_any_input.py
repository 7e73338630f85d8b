"""Whatever is typed, the command line answers: a result, or one line that names what is wrong.

The options and their types are read from the commands themselves. The suite types a few dozen lines; ``make
robustness`` ten thousand, with other seeds (the profile ``robustness``).
"""

import json
import os
import shlex
import time
import warnings

import click
import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from analytic import STATEMENTS
from maml_bench import claims
from maml_bench.cli.commands import cli
from maml_bench.cli.setting import ALGORITHMS, HESSIANS
from maml_bench.effort import METHODS
from maml_bench.measuring import QUANTITIES
from maml_bench.problems import FAMILIES

EXAMPLES = int(os.environ.get("MAML_BENCH_EXAMPLES", "60"))
SAME = "MAML_BENCH_EXAMPLES" not in os.environ
"""Whether the examples are the same in every run: what is new is found by `make robustness`, not by chance in CI."""
APART = {"output", "cluster", "processes", "workers", "checkpoint", "page", "problem", "help", "row"}
"""Options that touch files, other processes or machines; they have tests of their own."""
SECONDS = 10

INTEGERS = st.sampled_from(
    ["-1", "0", "1", "2", "3", "7", "64", "100000", "1000000000", "9223372036854775808", "1" + 40 * "0"]
)
REALS = st.sampled_from(
    ["-1", "0", "-0.0", "1e-300", "1e-9", "0.01", "0.5", "1", "2", "1e9", "1e200", "1e308", "nan", "inf", "-inf"]
)
RUBBISH = st.sampled_from(["", " ", "x", "1,5", "0x10", "1e", "None", "[1]", "ν", "prop2", "file.py:x", ":", "-"])
NAMES = {
    "claim": list(claims.names()),
    "name": list(STATEMENTS),
    "quantity": list(QUANTITIES),
    "family": list(FAMILIES),
    "hessian": list(HESSIANS),
    "algorithm": list(ALGORITHMS),
    "method": list(METHODS),
    "form": ["paper", "sharp", "refined", "local", "refined_local", "smooth", "cone", "direct", "identity", "stein"],
}


def values(parameter: click.Parameter) -> st.SearchStrategy[str]:
    """What somebody might type for a parameter: mostly of its kind, at times rubbish."""
    if parameter.name in NAMES:
        kind = st.sampled_from(NAMES[parameter.name])
    elif isinstance(parameter.type, click.Choice):
        kind = st.sampled_from(list(parameter.type.choices))
    else:
        kind = INTEGERS if parameter.type is click.INT else REALS
    return st.one_of(*[kind] * 7, RUBBISH)


@st.composite
def lines(draw):
    """A command with its arguments, up to four options out of the ordinary, and little time."""
    name = draw(
        st.sampled_from(
            ["check", "check", "check", "measure", "power", "train", "audit", "theory", "tightness", "claims"]
        )
    )
    command = cli.commands[name]
    line = [name]
    typed = {}
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            line.append(typed.setdefault(parameter.name, draw(values(parameter))))
    options = [p for p in command.params if isinstance(p, click.Option) and p.name not in APART]
    known = {p.name for p in options}
    for parameter in draw(st.lists(st.sampled_from(options), max_size=4, unique=True)) if options else ():
        line.append(parameter.opts[0])
        if not parameter.is_flag:
            line.append(typed.setdefault(parameter.name, draw(values(parameter))))
    for option, value in (
        ("seconds", "1"),
        ("budget", "2000"),
        ("runs", "2"),
        ("iterations", "20"),
        ("replicates", "2"),
    ):
        if option in known and option not in typed and (name == "train" or option != "iterations"):
            line += [f"--{option}", value]
    return line


@given(line=lines())
@example(line=["audit", "--amplitude", "-1", "--sigma-g", "1e200"])
@example(line=["audit", "--family", "quadratic", "--hessian", "first-order", "--json"])
@example(line=["check", "prop3", "--method", "monte-carlo", "--amplitude", "0", "--seconds", "1", "--json"])
@example(line=["tightness", "lemma-a", "--alpha-l", "1e-300", "--seconds", "1", "--code", "--json"])
@example(line=["tightness", "lemma-a", "--alpha-l", "1", "--seconds", "1"])
@example(line=["check", "prop1", "--seconds", "-1"])
@example(line=["measure", "path-error", "--seconds", "nan", "--dim", "-1"])
@example(line=["check", "prop1", "--seconds", "1e308", "--budget", "2000"])
@settings(
    max_examples=EXAMPLES, derandomize=SAME, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
def test_any_line_ends_in_a_result_or_in_one_line(bench, little_memory, tmp_path, monkeypatch, line):
    note(shlex.join(["maml-bench", *line]))
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = bench(*line)
    assert time.process_time() - began < SECONDS
    assert done.returncode in (0, 1, 2, 3, 4)
    assert "Traceback" not in done.stderr
    if done.returncode != 2:
        if "--json" in line:
            json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        return
    assert done.stdout == ""
    message = [text for text in done.stderr.strip().splitlines() if text.startswith("Error: ")]
    assert len(message) == 1
    assert done.stderr.strip().splitlines()[-1] == message[0], "the error is the last line"
