"""The study of the Hessian estimators, on its quick cells, against numbers computed here from closed forms."""

import numpy as np
import pytest

from maml_bench.study.facts import measured_slope, minimum_on_grid
from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies import hessian_estimators as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Findings, report and directory; sampled cells have a smaller budget, so the equalities may stay undecided."""
    directory = tmp_path_factory.mktemp("hessian-estimators")
    patch = pytest.MonkeyPatch()
    patch.setattr(study, "EQUALITY_BUDGET", 4_000)
    patch.setattr(study, "QUICK_BUDGET", 10_000)
    findings = list(run(study.STUDY, directory, quick=True))
    patch.undo()
    return findings, study.tell(findings, directory), directory


def measured(findings, claim, form="sharp", problem=None, **parameters):
    (found,) = select(findings, claim, form, problem, **parameters)
    return found.verdict


def test_no_bound_is_violated_and_everything_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} <= {"holds", "inconclusive", "not applicable"}
    assert all(f.verdict.claim == "prop5" for f in findings if f.verdict.outcome == "inconclusive")
    assert "No bound is violated" in report
    for name in ("bias", "variance", "zeroth-order", "trade-off"):
        assert f"({name}.svg)" in report
        assert (directory / f"{name}.svg").stat().st_size > 5000
    assert "nan" not in report
    assert "\\nabla" in report


def test_kink_attains_the_sharp_bias(told):
    found = measured(told[0], "prop6", problem=study.KINK, d=1, ν=1 / 128, Q=16)
    assert found.value == pytest.approx(np.sqrt(2 / np.pi) / 128, rel=1e-9)
    assert measured(told[0], "prop6", "paper", study.KINK, d=1, ν=1 / 128, Q=16).ratio == pytest.approx(
        np.sqrt(2 / np.pi)
    )
    assert "1.25331 times the exact bias" in told[1]


def test_bandit_bias_is_sampled_with_slope_two(told):
    rows = select(told[0], "prop6", "smooth", study.BANDIT)
    assert {f.verdict.method for f in rows} == {"monte-carlo"}
    slope = measured_slope(rows, "ν")
    assert 1.8 < slope.lower < slope.upper < 2.05  # 2 in the limit of small radii


@pytest.mark.parametrize("d", [1, 4, 16, 64, 256])
def test_variances_on_the_bowl(told, d):
    findings, Q = told[0], 64
    fixed = {"problem": study.BOWL, "d": d, "Q": Q, "ν": study.NU}
    plain = ((d + 2) * (d + 4) * (d + 6) - (d + 2) ** 2) / 4
    corrected = (d + 2) * ((d + 4) ** 2 + d) / 4 - 1
    assert measured(findings, "prop7-vector", **fixed).value == pytest.approx((d + 1) / Q)
    assert measured(findings, "prop7-vector", **fixed).ratio == pytest.approx((d + 1) / (d + 2))
    assert measured(findings, "prop7-frobenius", **fixed).value == pytest.approx(d * (d + 1) / Q)
    assert measured(findings, "zo-vector", **fixed).value == pytest.approx(plain / Q)
    assert measured(findings, "zo-stein-vector", **fixed).value == pytest.approx(corrected / Q)


def test_price_of_losses_in_words(told):
    ratios = [((d + 2) * (d + 4) * (d + 6) - (d + 2) ** 2) / 4 / (d + 1) for d in (64, 256)]
    assert f"$d^{{{np.log(ratios[1] / ratios[0]) / np.log(4):.2f}}}$" in told[1]


def test_error_of_the_zeroth_order_mean_tends_to_half_the_trace(told):
    errors, half_trace = study._constant_error(told[0])
    case = study.setting(study.TRIGONOMETRIC, study.ZO, 4, 1 / 128, 1)
    step = 1e-4 * np.eye(4)
    hessian = [(case.tasks.grad(case.w + e) - case.tasks.grad(case.w - e))[0] / 2e-4 for e in step]
    assert half_trace == pytest.approx(np.trace(hessian) / 2, abs=1e-6)
    assert errors[1 / 128] == pytest.approx(half_trace, abs=1e-4)


@pytest.mark.parametrize("D", study.BATCHES)
def test_best_radius_lies_where_the_closed_form_says(told, D):
    radii, total = study._trade_off(told[0], study.KINK, D, "sharp")
    best = (2 / (study.MANY * D * (2 / np.pi))) ** (1 / 4)
    _, below, above = minimum_on_grid(radii, total)
    assert below < best < above
    case = study.setting(study.TRIGONOMETRIC, study.GGS, 4, 0.1, study.MANY, D, 1.0)
    best = (4 / (study.MANY * D * case.tasks.regularity.tau**2 * 16)) ** (1 / 6)
    _, below, above = minimum_on_grid(*study._trade_off(told[0], study.TRIGONOMETRIC, D, "smooth"))
    assert below < best < above


def test_every_expected_exponent_is_found(told):
    rows = [line.split(" | ") for line in study._exponents(told[0]).splitlines()[2:]]
    assert len(rows) == 15
    assert {row[-1].strip(" |") for row in rows} <= {"yes", "undecided"}


def test_full_sweep_has_parameters_of_its_own():
    cells = study.cells(quick=False)
    assert len({(cell.problem, str(cell.parameters), name) for cell in cells for name in cell.claims}) == sum(
        len(cell.claims) for cell in cells
    )
