"""The study of the step size, on its quick cells, against closed forms and against sampled products."""

import numpy as np
import pytest

from analytic.zeroth_order import largest_step, mean_factor
from maml_bench import InnerLoop, Setting
from maml_bench.claims import zeroth_order
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.study.facts import crossing_on_grid
from maml_bench.study.run import run
from studies import step_size as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    directory = tmp_path_factory.mktemp("step-size")
    findings = list(run(study.STUDY, directory, quick=True))
    return findings, study.tell(findings, directory), directory


def value(findings, problem, estimator, **parameters):
    (found,) = study._of_form(findings, problem, estimator, **parameters)
    return found.verdict.value


def test_no_bound_is_violated_and_everything_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} == {"holds"}
    assert all(f.verdict.form == study.FORMS[f.parameters["estimator"]] for f in findings)
    assert "No bound is violated" in report
    for name in ("growth", "converse", "largest"):
        assert f"({name}.svg)" in report
        assert (directory / f"{name}.svg").stat().st_size > 5000


@pytest.mark.parametrize("alpha_l", study.CONVERSE.values())
@pytest.mark.parametrize("N", [1, 4, 16])
def test_converse(told, alpha_l, N):
    d = study.CONVERSE_D
    assert value(told[0], study.BOWL, "ZO", αL=str(alpha_l), N=N) == pytest.approx(mean_factor(alpha_l, 1, d, N))
    assert value(told[0], study.BOWL, "Stein", αL=str(alpha_l), N=N) == pytest.approx((1 - alpha_l) ** N)
    assert (mean_factor(alpha_l, 1, d, 16) > 1) == (alpha_l * (1 + d / 2) > 2)


def test_growth_on_the_dome(told):
    for rule, alpha_l in ((study.FIXED, 1 / 8), (study.SHRINKING, 1 / 128), (study.SMALLER, 1 / 128 / 6)):
        assert value(told[0], study.DOME, "ZO", αL=rule, N=16) == pytest.approx((1 + alpha_l * 6) ** 16)
        assert value(told[0], study.DOME, "Stein", αL=rule, N=16) == pytest.approx((1 + alpha_l) ** 16)
    assert f"{(1 + 6 / 8) ** 16:.4g} with ZO and {(1 + 1 / 8) ** 16:.4g} with its corrected form" in told[1]


def test_largest_step_lies_where_the_bound_says(told):
    brackets = study._brackets(told[0], study.DOME, "ZO")
    assert {d for d, _ in brackets} == {2, 8, 64}
    for (d, N), (low, high) in brackets.items():
        assert low <= largest_step(1.0, d, N) <= high
        assert low <= study._theory(study.DOME, "ZO", d, N) <= high
    for (d, _), (low, high) in study._brackets(told[0], study.BOWL, "ZO").items():
        assert low <= 2 / (1 + d / 2) <= high


def test_gradient_differences_have_the_corrected_mean():
    """As the report says; and the exact value is the mean of sampled products."""
    tasks, w, inner = study.FAMILIES[study.TRIGONOMETRIC](3), np.linspace(-0.5, 1, 3), InnerLoop(0.3, 2)
    corrected, differences = (
        zeroth_order.mean_product_norm(Setting(tasks, w, inner, hessian))
        for hessian in (ZerothOrder(0.1, 10, stein=True), GaussianSmoothing(0.1, 10))
    )
    np.testing.assert_allclose(corrected, differences, rtol=1e-12)
    rng, count = np.random.default_rng(0), 20_000
    second = w - inner.alpha * tasks.grad(w)[0]
    factors = []
    for point in (w, second):
        operator = GaussianSmoothing(0.1, 10).operator(tasks, np.broadcast_to(point, (count, 1, 3)), 1, rng)
        columns = operator(np.eye(3)[:, None, None])[:, :, 0]
        factors.append(np.eye(3) - inner.alpha * np.moveaxis(columns, 0, -1))
    products = factors[0] @ factors[1]
    error = 5 * np.linalg.norm(products.std(0)) / np.sqrt(count)
    assert abs(np.linalg.norm(products.mean(0), 2) - corrected[0]) < error
    assert error < 0.03


def test_crossing_needs_a_grid_across_the_limit():
    assert crossing_on_grid([1, 2, 3], [0.5, 1.0, 1.5], 1.0) == (2, 3)
    for values in ([2, 3, 4], [0.1, 0.2, 0.3]):
        with pytest.raises(ValueError, match="does not reach across the limit 1"):
            crossing_on_grid([1, 2, 3], values, 1.0)
