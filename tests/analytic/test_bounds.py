"""Every statement as an object: evaluation, broadcasting, hypotheses, printing."""

import subprocess
import sys

import numpy as np
import pytest
from latex2mathml.converter import convert
from matplotlib.mathtext import MathTextParser

import analytic
from analytic import HypothesisError, bound
from analytic.convergence import corollary1, theorem1, theorem2
from analytic.finite_sum import finite_theorem1

# fmt: off
POINT = {
    "alpha": 0.01, "steps": 3, "L": 2.0, "rho": 1.0, "tau": 0.7, "sigma": 0.5, "sigma_g": 0.4, "sigma_H": 0.3,
    "S": 20, "D": 3, "T": 4, "B": 5, "C_beta": 100, "K": 1000, "directions": 20, "nu": 0.01, "delta": 0.1, "dim": 8,
    "grad_norm": 0.7, "task_grad_norm": 0.8, "task_grad_rms": 0.9, "gap": 1.0, "epsilon": 20.0, "b": 0.1,
    "b_tilde": 0.02, "B_beta": 50, "D_beta": 50, "cap": 2.0, "failure": 0.1,
    "trace_spread": 0.3, "trace_covariance": 0.2,
}
# fmt: on
FORMS = [(name, form) for name, s in analytic.STATEMENTS.items() for form in s.forms]
CONTRACT = """prop1 prop2-first prop2-second prop2-mean prop3 prop4 prop5 prop6
    prop7-vector prop7-frobenius prop7-spectral zo-vector zo-stein-vector prop8 thm1 cor1 thm2
    zo-neighbourhood finite-prop1 finite-prop4 finite-thm1 finite-thm2 finite-prop7-vector""".split()  # noqa: SIM905


def test_every_statement_of_the_contract_is_there():
    assert set(CONTRACT) <= set(analytic.STATEMENTS)
    for name in ("prop1", "prop3", "prop4", "prop6", "thm1", "thm2", "cor1", "finite-thm1", "finite-prop4"):
        assert {"paper", "sharp"} <= set(analytic.STATEMENTS[name].forms)
    assert {"local", "smooth"} <= set(analytic.STATEMENTS["prop3"].forms)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_arrays_agree_with_numbers(name, form):
    b = bound(name, form)
    scalar = b(**POINT)
    assert isinstance(scalar, float)
    assert np.isfinite(scalar)
    assert scalar > 0
    if "steps" not in b.arguments:
        assert np.all(b(**{**POINT, "L": np.full(3, 2.0)}) == scalar) or "L" not in b.arguments
        return
    steps = np.array([[1], [3]])
    varied = "L" if "L" in b.arguments else "rho"
    values = np.array([2.0, 1.0])
    grid = b(**{**POINT, "steps": steps, varied: values})
    assert grid.shape == (2, 2)
    for i, n in enumerate((1, 3)):
        for k, x in enumerate(values):
            assert grid[i, k] == pytest.approx(b(**{**POINT, "steps": n, varied: x}), rel=1e-13)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_prints_as_latex_and_text(name, form):
    b = bound(name, form)
    MathTextParser("agg").parse(f"${b.latex()}$")
    assert "<math" in convert(b.latex())
    assert "<math" in convert(analytic.statement(name).quantity_latex)
    assert "Geometric" not in b.latex() + b.text()


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.parametrize(
    "edge",
    [
        {"rho": 0.0, "tau": 0.0},
        {"L": 0.0, "rho": 0.0, "tau": 0.0},
        {"L": 1e-9, "rho": 0.0, "tau": 0.0},
        {"steps": 1},
        {"sigma": 0.0, "sigma_g": 0.0, "sigma_H": 0.0, "b": 0.0, "b_tilde": 0.0},
        {"grad_norm": 0.0, "task_grad_norm": 0.0, "sigma": 0.0, "sigma_g": 0.0},
        {"dim": 10**12, "alpha": 1e-9, "directions": 10**13},
    ],
)
def test_limits_are_numbers(name, form, edge):
    b = bound(name, form)
    point = {**POINT, **edge}
    if name.startswith("cor1") and point["L"] == 0:
        with pytest.raises(HypothesisError, match="L > 0"):
            b(**point)
        return
    if name.startswith("cor1") and point["L"] == 1e-9:
        with pytest.raises(HypothesisError, match="theta > 0"):  # alpha = 1/(8NL) makes alpha^2 sigma_H^2 huge
            b(**point)
        return
    if name == "zo-neighbourhood" and point["dim"] == 10**12:
        with pytest.raises(HypothesisError, match="theta > 0"):  # the step size has to fall like 1/d
            b(**point)
        return
    value = b(**point)
    if name.startswith("lemma-b") and point["L"] == 0:
        assert value == np.inf  # the meta step size of a linear objective is unbounded
    else:
        assert np.isfinite(value), value


def test_missing_unknown_and_contradicting_constants_are_named():
    without = {k: v for k, v in POINT.items() if k != "tau"}
    for name in ("prop3", "prop5", "prop6", "thm1", "thm2"):
        with pytest.raises(ValueError, match="needs tau"):
            bound(name, "smooth")(**without)
        with pytest.raises(HypothesisError, match="finite tau"):
            bound(name, "smooth")(**without, tau=np.inf)
    with pytest.raises(HypothesisError, match="finite sigma "):
        bound("prop4")(**{**POINT, "sigma": np.inf})
    with pytest.raises(ValueError, match="unknown constant 'lipschitz'"):
        bound("prop1")(lipschitz=1)
    with pytest.raises(ValueError, match="rho > 0 contradicts L = 0"):
        bound("prop3")(**{**POINT, "L": 0})
    with pytest.raises(ValueError, match="tau > 0 contradicts rho = 0"):
        bound("prop3", "smooth")(**{**POINT, "rho": 0})
    with pytest.raises(ValueError, match="task_grad_norm > task_grad_rms"):
        bound("prop4", "local")(**{**POINT, "task_grad_norm": 1.0})
    for name in ("finite-prop4", "finite-thm1"):
        with pytest.raises(ValueError, match="b\\^2 > b_tilde"):
            bound(name)(**{**POINT, "b": 1.0})
    with pytest.raises(ValueError, match="unknown form 'best'"):
        theorem1("best", **POINT)
    with pytest.raises(ValueError, match="unknown statement"):
        bound("prop9")


@pytest.mark.parametrize(
    ("name", "form", "change", "words"),
    [
        ("lemma-a", "sharp", {"alpha": 0.1}, "q\\^\\(2N\\) < 2"),
        ("lemma-a", "cone", {"alpha": 0.2}, "2N arcsin"),
        ("prop3", "cone", {"alpha": 0.2}, "2N arcsin"),
        ("finite-prop4", "cone", {"alpha": 0.2}, "2N arcsin"),
        ("prop3", "paper", {"alpha": 0.1}, "alpha = 0.1, steps = 3, L = 2"),
        ("prop3", "sharp", {"alpha": [0.01, 0.1]}, "left side is 2.98"),
        ("prop4", "refined", {"alpha": 0.1}, "q\\^\\(2N\\) < 2"),
        ("lemma-b-first", "paper", {"D_beta": 1, "sigma_g": 100}, "D_beta a\\^2 >= 64"),
        ("lemma-b-second", "paper", {"B_beta": 1, "sigma": 1000}, "B_beta a\\^2 >= 4/3"),
        ("prop7-spectral", "sharp", {"directions": 7}, "Q >= d"),
        ("thm1", "paper", {"B": 1, "C_beta": 5}, "theta > 0"),
        ("thm1", "sharp", {"C_beta": 10}, "theta > 0"),
        ("thm2", "sharp", {"C_beta": 10}, "theta > 0"),
        ("thm1", "sharp", {"B_beta": 1, "sigma": 1000}, "Lemma B"),
        ("finite-thm1", "sharp", {"C_beta": 2}, "theta > 0"),
        ("cor1-iterations", "sharp", {"epsilon": 1e-3}, "epsilon above"),
    ],
)
def test_a_violated_hypothesis_is_named(name, form, change, words):
    with pytest.raises(HypothesisError, match=words):
        bound(name, form)(**{**POINT, **change})


def test_the_sides_of_a_violated_hypothesis_are_those_of_its_first_inequality():
    """By hand, for q = 1.2 and N = 2: a = q^4 L and C_L = alpha rho q^3 (1 + q); sin(pi/8) against alpha L."""
    here = {**POINT, "alpha": 0.1, "steps": 2, "sigma_g": 4.0, "D_beta": 1}
    a, C_L = 1.2**4 * 2, 0.1 * 1.2**3 * 2.2
    sides = f"left side is {a**2:g}, the right side {64 * 4**2 * C_L**2:g}"
    with pytest.raises(HypothesisError, match=rf"D_beta a\^2 >= 64 sigma_g\^2 C_L\^2 .* {sides}"):
        bound("lemma-b-first", "paper")(**here)
    with pytest.raises(HypothesisError, match=r"alpha L < sin\(pi/\(4N\)\), .* side is 0.4, the right side 0.382683"):
        bound("lemma-a", "cone")(**{**here, "alpha": 0.2})


def test_no_abbreviation_is_spelled_out_twice():
    for name, form in FORMS:
        heads = [line.head for line in bound(name, form).abbreviations]
        assert len(set(heads)) == len(heads), (name, form)


def test_overflow_is_an_error_not_a_number():
    with pytest.raises(OverflowError, match="prop1"):
        bound("prop1")(alpha=1, steps=5000, L=1, rho=0, task_grad_norm=1)
    assert bound("prop4", "local")(**{**POINT, "alpha": 1.0, "steps": 5000}) == np.inf


def test_local_forms_need_no_condition_on_the_step():
    for name, form in (("prop3", "local"), ("prop3", "smooth"), ("prop4", "local"), ("finite-prop4", "local")):
        assert bound(name, form)(**{**POINT, "alpha": 1.0}) > 0


def test_lemma_b_is_checked_only_with_its_batch_sizes():
    free = {k: v for k, v in POINT.items() if k not in ("B_beta", "D_beta")}
    large = {**free, "sigma": 1000.0}
    assert bound("thm1")(**large) > 0
    assert "B_beta" not in bound("thm1").arguments


@pytest.mark.parametrize(
    ("name", "function", "forms"),
    [
        ("thm1", theorem1, ("paper", "sharp", "smooth", "refined")),
        ("thm2", theorem2, ("paper", "sharp", "smooth", "refined")),
        ("cor1", corollary1, ("paper", "sharp", "smooth", "refined")),
        ("finite-thm1", finite_theorem1, ("paper", "sharp", "refined")),
    ],
)
def test_dataclass_and_bound_are_one(name, function, forms):
    for form in forms:
        t = function(form=form, **POINT)
        assert t.value == bound(name, form)(**POINT)
        assert t.value == pytest.approx(t.R / 2 + np.sqrt(t.R**2 / 4 + t.chi * t.R), rel=1e-12)
        k = POINT
        noise = t.xi / (t.theta * k["S"]) + t.phi / (t.theta * k["B"])
        assert t.R == pytest.approx(k["gap"] / (t.theta * k["K"]) + noise, rel=1e-12)


def test_theory_imports_without_the_experiments():
    code = "import sys, analytic; assert not any(m.startswith('maml_bench') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
