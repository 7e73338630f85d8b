"""A statistical test that fails says how often it would by chance: by an assertion of `zoo`, or by its mark."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import assert_mean, assert_same_mean, beyond

TESTS = Path(__file__).parent
TELLS = re.compile(
    r"probability (at most|below|<|1e)|false alarm|standard errors?\b|\bone seed in|\.std\(|SIGMAS|kstest"
)
"""What a test has that samples and compares with limits."""
NOT_OF_CHANCE = {
    "test_every_row_says_what_was_compared",  # words of a row
    "test_surrogate_has_no_products_of_scores_of_different_steps",  # an advantage in units of its deviation
    "test_a_note_adds_up_what_may_be_wrong",  # words of a report
    "test_a_study_without_a_template_is_told_by_the_plain_one",
}


def test_means_that_are_off_say_how_often_by_chance():
    values = np.random.default_rng(0).standard_normal((100, 2))
    said = "a statistical test: it fails by chance with a probability of at most 1e-06"
    with pytest.raises(AssertionError, match=said):
        assert_mean(values, [0.0, 9.0])
    with pytest.raises(AssertionError, match="by chance with a probability of at most 8e-08"):
        assert_same_mean(values, values + 9.0)
    assert_mean(values, 0.0)


def test_the_chance_that_normal_numbers_are_far_off():
    # 1.959964 is the quantile at 97.5 %; of a hundred numbers at most all are counted.
    assert beyond(1.959964) == pytest.approx(0.05, rel=1e-6)
    assert beyond(1.959964, 2) == pytest.approx(0.1, rel=1e-6)
    assert beyond(0.1, 100) == 1.0
    assert beyond(5.0) == pytest.approx(5.73e-7, rel=1e-3)


def test_a_marked_test_that_fails_says_so_too(tmp_path):
    sampled = "@pytest.mark.by_chance(0.004)\ndef test_sampled(): assert 1 == 2\n"
    (tmp_path / "test_it.py").write_text(f"import pytest\n{sampled}def test_plain(): assert 3 == 4\n")
    options = ("-c", "/dev/null", "--rootdir", tmp_path, "-p", "conftest", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, tmp_path]
    found = os.pathsep.join((str(TESTS.parent), str(TESTS)))  # in this order: both have a folder maml_bench
    about = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": found}}
    done = subprocess.run(command, **about, capture_output=True, text=True, check=False)
    assert "2 failed" in done.stdout
    assert done.stdout.count("it fails by chance with a probability of at most 0.004") == 1


def functions():
    """Every test, with what is written of it, and whether it or its file is marked."""
    for path in sorted(TESTS.rglob("test_*.py")):
        if path.parent.name == "benchmarks" or path.name == Path(__file__).name:
            continue
        lines = path.read_text().splitlines()
        marked = any(line.startswith("pytestmark = pytest.mark.by_chance(") for line in lines)
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                yield path, node.name, "\n".join(lines[first - 1 : node.end_lineno]), marked


def test_every_test_of_chance_says_how_often_it_fails_by_it():
    silent = [
        f"{path.relative_to(TESTS)}: {name}"
        for path, name, text, marked in functions()
        if TELLS.search(text) and name not in NOT_OF_CHANCE
        if not marked and not re.search(r"mark\.by_chance\(|assert_means?\(|assert_same_mean\(", text)
    ]
    assert not silent
