"""Counterexamples: what is written can be replayed, in the same process and as a script."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import at

import maml_bench
from maml_bench import check, claims
from maml_bench.counterexample import fresh, replay, write
from maml_bench.extremal import instance
from maml_bench.hessians import GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric


def test_an_exact_refutation_is_replayed(tmp_path):
    setting = at(Quadratic.random(3, 2, 0).with_noise(AdditiveGaussian(1.0)), 1.0, 0.1, 3)
    claim = claims.get("prop2-second").scaled(0.01)
    verdict = check(claim, setting)
    path = write(verdict, claim, setting, tmp_path / "deep")
    again = replay(path.with_suffix(".npz"))
    assert again.outcome == verdict.outcome == "violated"
    assert (again.value, again.bound, again.factor) == (verdict.value, verdict.bound, 0.01)


def test_a_sampled_refutation_is_repeated_with_another_seed_and_runs_as_a_script(tmp_path):
    smoothing = GaussianSmoothing(0.1, 2, data="population")
    setting = at(Trigonometric.random(2, 2, 0), 1.0, 0.1, 1, smoothing)
    claim = claims.get("prop7-vector").scaled(1e-3)
    verdict = check(claim, setting, method="monte-carlo", budget=5000)
    path = write(verdict, claim, setting, tmp_path, budget=5000)
    assert "Recomputed: prop7-vector (sharp, bound times 0.001): violated" in path.read_text()
    home = {**os.environ, "PYTHONPATH": str(Path(maml_bench.__file__).parents[1])}
    printed = subprocess.run([sys.executable, path], env=home, capture_output=True, text=True, check=True).stdout
    assert "prop7-vector (sharp, bound times 0.001): violated" in printed
    assert fresh(0) != fresh(1) != 0


WAVES = Trigonometric.random(2, 1, 0)


@pytest.mark.parametrize(
    ("claim", "setting", "method", "evidence"),
    [
        ("prop3", instance("prop3", "smooth"), "exact", "exact"),
        ("prop1", at(WAVES), "search", "search"),
        ("prop2-second", at(WAVES.with_noise(AdditiveGaussian(1.0))), "monte-carlo", "certified"),
    ],
)
def test_a_refutation_of_every_kind_of_evidence_is_recomputed_and_replayed(tmp_path, claim, setting, method, evidence):
    low = claims.get(claim).scaled(1e-3)
    verdict = check(low, setting, method=method, budget=5000)
    assert (verdict.outcome, verdict.evidence) == ("violated", evidence)
    path = write(verdict, low, setting, tmp_path, budget=5000)
    assert "Recomputed: " in path.read_text() and path.read_text().count("violated") == 2
    again = replay(path)
    assert (again.outcome, again.value, again.evidence) == ("violated", verdict.value, verdict.evidence)


def test_a_recomputation_takes_no_longer_than_it_may(tmp_path, monkeypatch):
    setting = at(Quadratic.random(3, 2, 0).with_noise(AdditiveGaussian(1.0)), 1.0, 0.1, 3)
    claim, asked = claims.get("prop2-second").scaled(0.01), []
    verdict = check(claim, setting)
    monkeypatch.setattr("maml_bench.counterexample.check", lambda *_, **effort: asked.append(effort) or verdict)
    write(verdict, claim, setting, tmp_path, 500, 7.0)
    assert (asked[0]["budget"], asked[0]["seconds"]) == (500, 7.0)


def test_a_claim_without_a_name_has_to_be_given(tmp_path):
    setting = at(Quadratic.random(2, 1, 0).with_noise(AdditiveGaussian(1.0)), 1.0, 0.1, 1)
    mine = maml_bench.claim("mine", 1.0, lambda setting, rng, n: np.full((n, 1), 2.0) + rng.random((n, 1)))
    path = write(check(mine, setting, budget=2000), mine, setting, tmp_path, budget=2000)
    with pytest.raises(ValueError, match=r"mine is not a claim of the bench: give replay\(path, claim\) the claim"):
        replay(path)
    assert replay(path, mine).outcome == "violated"
