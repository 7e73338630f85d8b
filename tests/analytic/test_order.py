"""The forms of one statement are ordered over its whole domain: paper >= sharp >= refined, edges included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import inner_loops

from analytic import HypothesisError, bound

PAIRS = [
    (name, *pair)
    for name, pairs in {
        "lemma-a": [("paper", "sharp"), ("sharp", "cone")],
        "lemma-a-tasks": [("paper", "sharp"), ("sharp", "cone")],
        "prop1": [("paper", "sharp")],
        "prop2-first": [("paper", "sharp")],
        "prop2-second": [("paper", "sharp")],
        "prop2-mean": [("sharp", "refined")],
        "prop3": [("paper", "sharp"), ("sharp", "refined"), ("refined", "cone"), ("local", "refined_local")],
        "prop4": [("paper", "sharp"), ("sharp", "refined"), ("refined", "cone"), ("local", "refined_local")],
        "prop5": [("paper", "sharp"), ("sharp", "refined")],
        "prop6": [("paper", "sharp"), ("sharp", "refined")],
        "prop7-vector": [("sharp", "refined")],
        "prop7-frobenius": [("sharp", "refined")],
        "prop7-spectral": [("sharp", "refined")],
        "lemma-b-second": [("paper", "sharp"), ("direct", "sharp")],
        "thm1": [("paper", "sharp"), ("sharp", "refined"), ("refined", "direct")],
        "thm2": [("paper", "sharp"), ("sharp", "refined"), ("refined", "direct")],
        "cor1": [("paper", "sharp"), ("sharp", "refined"), ("refined", "direct")],
        "cor1-iterations": [("paper", "sharp"), ("sharp", "refined"), ("refined", "direct")],
        "finite-lemma-a": [("paper", "sharp"), ("sharp", "cone")],
        "finite-prop1": [("paper", "sharp")],
        "finite-prop4": [("paper", "sharp"), ("sharp", "refined"), ("refined", "cone")],
        "finite-thm1": [("paper", "sharp"), ("sharp", "refined"), ("refined", "direct")],
        "finite-prop7-vector": [("sharp", "refined")],
    }.items()
    for pair in pairs
]


def _scales(rng, size, low, high, zero=0.1):
    """Log-uniform numbers, some of them exactly 0."""
    return np.where(rng.random(size) < zero, 0.0, 10 ** rng.uniform(low, high, size))


def _points(rng, size):
    """Constants over the whole domain of every statement, with its edges (L = 0, rho = 0, N = 1, q^(2N) close to 2)."""
    steps = rng.choice([1, 1, 2, 3, 5, 10, 40], size)
    largest = np.expm1(np.log(2) / (2 * steps))  # alpha L at which q^(2N) = 2
    near = 1 - 10 ** rng.uniform(-8, -1, size)
    product = largest * np.where(rng.random(size) < 0.3, near, 10 ** rng.uniform(-8, 0, size) * 0.999)
    L = _scales(rng, size, -3, 3)
    alpha = np.where(L > 0, product / np.where(L > 0, L, 1), 10 ** rng.uniform(-4, 1, size))
    rho = np.where(L > 0, _scales(rng, size, -5, 5), 0)
    b = _scales(rng, size, -3, 2)
    mean = _scales(rng, size, -3, 2)
    count = lambda top: np.round(10 ** rng.uniform(0, top, size))
    return {
        "steps": steps, "alpha": alpha, "L": L, "rho": rho, "tau": np.where(rho > 0, _scales(rng, size, -3, 3), 0),
        "sigma": _scales(rng, size, -3, 3), "sigma_g": _scales(rng, size, -3, 3), "sigma_H": _scales(rng, size, -3, 2),
        "grad_norm": _scales(rng, size, -3, 3), "task_grad_norm": mean,
        "task_grad_rms": mean * (1 + _scales(rng, size, -3, 1)),
        "b": b, "b_tilde": b**2 * (1 + _scales(rng, size, -3, 2)), "S": count(6), "D": count(4), "T": count(4),
        "B": count(4), "K": count(6), "C_beta": 10 ** rng.uniform(1, 4, size), "gap": _scales(rng, size, -2, 2),
        "dim": count(9), "directions": count(9), "nu": 10 ** rng.uniform(-6, 1, size),
        "epsilon": 10 ** rng.uniform(-1, 4, size),
        "B_beta": count(6), "D_beta": count(6),
    }  # fmt: skip


def _valid(f, points):
    """The bound on the points that meet its hypotheses, NaN elsewhere."""
    names = set(f.arguments) | {n for n in ("B_beta", "D_beta") if f.statement.startswith("lemma-b")}
    value = np.full(len(points["steps"]), np.nan)
    used = {name: points[name] for name in names}
    try:
        return f(**used)
    except HypothesisError:
        for i in range(len(value)):
            try:
                value[i] = f(**{name: array[i] for name, array in used.items()})
            except HypothesisError:
                continue
    return value


@pytest.mark.parametrize(("name", "larger", "smaller"), PAIRS)
def test_order_of_forms(name, larger, smaller):
    rng = np.random.default_rng(7)
    theorem = name.startswith(("thm", "cor", "finite-thm"))
    conditional = theorem or name == "prop7-spectral" or name.startswith("lemma-b")
    points = _points(rng, 250 if conditional else 20_000)
    big, small = bound(name, larger), bound(name, smaller)
    above, below = _valid(big, points), _valid(small, points)
    applies = ~np.isnan(above)
    if name != "cor1-iterations":
        assert not np.isnan(below[applies]).any(), "the smaller form has a hypothesis that the larger one lacks"
    assert applies.sum() >= (10 if conditional else 20_000)
    finite = applies & np.isfinite(above)
    rounding = 1e-14 * points["sigma"][finite] if name.endswith("lemma-a") else 0.0  # of c = q^(2N) - 1, times sigma
    assert np.all(below[finite] <= above[finite] * (1 + 1e-11) + rounding)


@given(inner_loops(), st.floats(0, 1e4), st.floats(0, 1e4))
@settings(max_examples=60, deadline=None)
def test_lemma_a_orders_for_every_step(inner, G, sigma):
    point = {**inner, "grad_norm": G, "sigma": sigma}
    x, gamma = bound("lemma-a")(**point), bound("lemma-a-tasks")(**point)
    assert gamma == pytest.approx(np.hypot(x, sigma), rel=1e-6, abs=1e-12)
    assert x <= bound("lemma-a", "paper")(**point) * (1 + 1e-12)
    assert gamma <= bound("lemma-a-tasks", "paper")(**point) * (1 + 1e-12)


def test_lemma_b_first_is_a_lower_bound_and_the_sharp_form_the_larger():
    points = _points(np.random.default_rng(3), 300)
    paper = _valid(bound("lemma-b-first", "paper"), points)
    sharp = _valid(bound("lemma-b-first", "sharp"), points)
    applies = np.isfinite(paper)
    assert applies.sum() > 30
    assert np.all(sharp[applies] >= paper[applies] * 10 / 9 * (1 - 1e-12))
