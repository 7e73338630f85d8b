"""The gallery: every example is short, runs, and ends in the verdicts that it is there to show."""

import runpy
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[2] / "studies" / "gallery"
EXAMPLES = {
    "own_problem": ["no violation found", "prop2-second (sharp): holds"],
    "own_noise": ["no violation found", "prop2-first (paper): holds"],
    "own_estimator": ["hessian-bias: ", "signs-vector (own): holds", "prop3 (local): holds"],
    "own_theorem": ["fourth-moment (own): holds", "times 0.6): violated"],
    "false_theorem": ["no-drift (own): violated", "counterexamples/no-drift-own-", "violated", "violated"],
    "other_paper": ["fallah-smoothness (own): not refuted", "fallah-bias (own): holds"],
}


def test_every_file_is_short_and_known():
    files = {path.stem: len(path.read_text().splitlines()) for path in GALLERY.glob("[!_]*.py")}
    assert set(files) == {*EXAMPLES, "own_study"}
    assert max(files.values()) <= 40


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_ends_in_its_verdicts(name, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    runpy.run_path(str(GALLERY / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    for words in EXAMPLES[name]:
        before, found, printed = printed.partition(words)
        assert found, f"{words!r} not after {before!r}"
