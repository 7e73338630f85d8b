"""Lists of claims and statements, and a row that is redone, read back; and whatever prints has its lines tested."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

from analytic import STATEMENTS
from maml_bench import claims
from maml_bench.cli import progress, studies, terminal, training
from maml_bench.cli.commands import cli
from maml_bench.study import Study


def cells(line):
    """The cells of a line of a table, whose columns are two blanks apart."""
    return re.split(r" {2,}", line.strip())


def test_claims_and_statements_are_read_back(bench):
    header, *rows = bench("claims").stdout.splitlines()
    assert cells(header) == ["claim", "forms", "measured"]
    names = [line.split()[0] for line in rows if not line.startswith(" ")]
    assert names == claims.names()
    assert cells(rows[0])[1] == ", ".join(claims.forms(names[0]))
    assert claims.get(names[0]).measurement.words.startswith(cells(rows[0])[2])
    header, *rows = bench("theory").stdout.splitlines()
    assert cells(header) == ["statement", "what it is about"]
    assert [line.split()[0] for line in rows if not line.startswith(" ")] == list(STATEMENTS)


def test_what_is_measured_is_printed_to_the_last_bracket(bench):
    printed = " ".join(bench("claims").stdout.split())
    for name in claims.names():
        words = claims.get(name).measurement.words
        assert all(word in printed for word in words.split()), name


def test_every_command_is_told_in_one_whole_line(bench):
    commands = bench("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in commands} == set(cli.commands)
    assert all(line.endswith(".") and not line.endswith("...") or line.endswith("?") for line in commands)


def test_a_row_that_is_redone_is_read_back(capsys, monkeypatch):
    row = {"claim": "prop3", "form": "sharp", "outcome": "violated", "value": 2.0, "lower": 1.5, "upper": 3.0}
    row |= {"bound": 1.25, "ratio": 1.6}
    monkeypatch.setattr("maml_bench.study.run.jobs", lambda *_: [SimpleNamespace(key="k")])
    monkeypatch.setattr("maml_bench.study.run.rows", lambda *_: [row])
    monkeypatch.setattr(studies, "load_study", lambda name: Study("s", "?", []))
    assert studies.redo("s", "k", quick=False, seed=0, workers=1, as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "prop3, sharp, violated",
        "  value 2, lower 1.5, upper 3, bound 1.25, ratio 1.6",
    ]
    row["outcome"] = "holds"
    assert studies.redo("s", "k", quick=False, seed=0, workers=1, as_json=False) == 0


def test_whatever_prints_has_its_lines_tested():
    printing = {
        name
        for module in (terminal, training, progress)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and name.startswith("print_")
    }
    tested = Path(__file__).with_name("test_terminal.py").read_text()
    assert {"print_verdict", "print_findings", "print_run"} <= printing
    assert not {name for name in printing if name not in tested}
