import dataclasses
import math

import numpy as np
import pytest
from zoo import at

from analytic import STATEMENTS, statement
from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims.claim import by_measurement
from maml_bench.evidence import Evidence, Outcome
from maml_bench.hessians import ZerothOrder
from maml_bench.montecarlo import estimands
from maml_bench.montecarlo.tilted import Capped
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric
from maml_bench.verdict import Verdict, check_all

TASKS = Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0))
SETTING = at(TASKS, 1.0, 0.1, 3)
SHARP = claims.get("prop2-second")


@pytest.mark.by_chance(1e-2)
@pytest.mark.parametrize(("factor", "outcome"), [(0.9, "violated"), (1.0, "inconclusive"), (1.1, "holds")])
def test_sampling_decides_unless_the_bound_is_the_truth(factor, outcome):
    # The truth is the bound itself (extremal instance); a wrong decision has probability at most 1 %.
    verdict = check(SHARP.scaled(factor), SETTING, method="monte-carlo", budget=60_000)
    assert verdict.outcome == outcome
    assert verdict.lower <= verdict.value <= verdict.upper
    assert verdict.ratio == pytest.approx(verdict.value / verdict.bound)
    assert verdict.reason.startswith("budget spent" if outcome == "inconclusive" else "decided")


def test_the_easier_the_question_the_fewer_replicates():
    drawn = [check(SHARP.scaled(factor), SETTING, method="monte-carlo").replicates for factor in (1.5, 1.02, 1.007)]
    assert drawn[0] < drawn[1] < drawn[2]


def test_the_same_seed_gives_the_same_verdict_whatever_the_workers():
    first, second = (check("prop2-first", SETTING, seed=3, budget=20_000, workers=w) for w in (1, 2))
    assert (first.value, first.lower, first.upper) == (second.value, second.lower, second.upper)
    assert check("prop2-first", SETTING, seed=4, budget=20_000).value != first.value


def test_replicates_as_budget_reproduce_a_verdict():
    first = check("prop2-first", SETTING, budget=100_000)
    again = check("prop2-first", SETTING, budget=first.replicates)
    assert (first.value, first.lower, first.upper) == (again.value, again.lower, again.upper)


def test_precision_draws_on_after_the_decision():
    quick = check("prop2-first", SETTING, form="paper")
    precise = check("prop2-first", SETTING, form="paper", precision=0.01)
    assert precise.replicates > quick.replicates
    assert precise.upper - precise.lower <= 0.02 * precise.value


def test_forms_are_checked_on_the_same_replicates():
    paper, sharp = check_all([claims.get("prop2-first", "paper"), claims.get("prop2-first", "sharp")], SETTING)
    assert paper.value == sharp.value
    assert paper.bound > sharp.bound


def test_scaled_claims_of_one_form_are_judged_each_at_its_own_bound():
    half, twice = check_all([SHARP.scaled(0.5), SHARP.scaled(2)], SETTING)
    assert (half.outcome, twice.outcome) == ("violated", "holds")
    assert (half.factor, twice.factor) == (0.5, 2)


def test_claims_are_grouped_by_what_they_measure_not_by_identity():
    copy = dataclasses.replace(SHARP, measurement=dataclasses.replace(SHARP.measurement))
    other = claims.get("prop2-first")
    assert by_measurement([SHARP, other, copy]) == [(SHARP, copy), (other,)]
    assert [v.outcome for v in check_all([SHARP, copy.scaled(2)], SETTING)] == ["holds", "holds"]
    with pytest.raises(ValueError, match="share one measurement"):
        check_all([SHARP, other], SETTING)


def lower_bound(truth: float, noise: float):
    """The claim that a mean, ``truth`` times the bound of prop2-first, is at least that bound."""
    bound = float(claims.get("prop2-first").right_side(SETTING))
    return sampled(lambda rng, n: bound * (truth + noise * rng.standard_normal((n, 1))), sense=">=")


@pytest.mark.by_chance(1e-2)
@pytest.mark.parametrize(("truth", "outcome"), [(1.2, "holds"), (0.8, "violated"), (1.0, "inconclusive")])
def test_a_lower_bound_is_refuted_from_below(truth, outcome):
    # Wrong with probability at most 1 %; at equality a decision either way would be.
    verdict = check(lower_bound(truth, 1.0), SETTING, budget=20_000)
    assert verdict.outcome == outcome
    exact = dataclasses.replace(
        lower_bound(truth, 1.0).measurement, exact=lambda setting: np.array([truth * verdict.bound])
    )
    found = check(dataclasses.replace(lower_bound(truth, 1.0), measurement=exact), SETTING)
    assert found.outcome == ("violated" if truth < 1 else "holds")


def test_the_cell_that_a_lower_bound_reports_is_the_smallest():
    bound = float(claims.get("prop2-first").right_side(SETTING))
    found = check(sampled(lambda rng, n: bound * np.array([3, 2, 4]) * rng.uniform(0.9, 1.1, (n, 3)), ">="), SETTING)
    assert (found.outcome, found.cell) == ("holds", 1)


def test_evidence_says_how_a_value_was_found():
    assert check(SHARP, SETTING).evidence == "exact"
    assert check(SHARP, SETTING, method="monte-carlo", budget=1000).evidence == "certified"
    assert check("prop1", SETTING, method="search").evidence == "search"
    far = at(TASKS, 1.0, 10.0, 2000)
    assert check("prop2-second", far).evidence is None


def test_a_form_that_contradicts_the_claim_is_an_error():
    assert check(SHARP, SETTING, form="sharp").form == "sharp"
    with pytest.raises(ValueError, match="form = 'paper': the claim given is prop2-second in the form 'sharp'"):
        check(SHARP, SETTING, form="paper")


def test_exact_method_where_there_is_none_is_an_error():
    with pytest.raises(ValueError, match="method = 'exact'.*prop2-first"):
        check("prop2-first", SETTING, method="exact")


def test_an_exact_value_is_computed_once():
    computed = []

    def exact(setting):
        computed.append(SHARP.measurement.exact(setting))
        return computed[-1]

    counted = dataclasses.replace(SHARP, measurement=dataclasses.replace(SHARP.measurement, exact=exact))
    assert check(counted, SETTING).value == computed[0]
    assert len(computed) == 1


def test_anybody_s_object_with_the_protocol_can_be_checked():
    class Unknown:
        """Tasks of nobody's class."""

        dim, batch_shape = 3, (1,)
        loss, grad, hvp, hess, sample = TASKS.loss, TASKS.grad, TASKS.hvp, TASKS.hess, TASKS.sample

        def __getitem__(self, index):
            return self

        @property
        def regularity(self):
            from analytic import Regularity

            return Regularity(L=1.0, rho=0.0, sigma_g=1.0)

    assert check("prop2-first", at(Unknown(), 1.0, 0.1, 2), budget=5000).outcome == "holds"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 1}, "confidence = 1: must be"),
        ({"confidence": 0}, "confidence"),
        ({"budget": 0}, "budget = 0: must be"),
        ({"seed": -1}, "seed = -1: must be"),
        ({"seed": 0.5}, "seed"),
        ({"method": "guess"}, "method = 'guess': must be one of"),
        ({"precision": -1}, "precision"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": math.nan}, "seconds"),
        ({"workers": 0}, "workers = 0: must be"),
        ({"form": "blunt"}, "unknown form 'blunt'.*known: paper, sharp"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        check("prop2-first", SETTING, **arguments)


def test_an_unknown_sense_is_refused():
    with pytest.raises(ValueError, match="sense = '<': must be one of <=, >=, ="):
        dataclasses.replace(SHARP, sense="<")


def test_without_a_form_it_is_the_sharp_one_or_the_only_one():
    assert check("prop2-first", SETTING, budget=64).form == "sharp"
    assert check("zo-neighbourhood", SETTING).form == "direct"
    for name in claims.names():
        assert claims.get(name).form == "sharp" or len(claims.forms(name)) == 1


def test_unknown_claim_lists_the_known():
    with pytest.raises(ValueError, match="unknown claim 'prop22'; known: .*prop2-first"):
        check("prop22", SETTING)


def test_a_statement_has_a_claim_or_says_why_not():
    assert set(STATEMENTS) - set(claims.names()) == {"cor1-iterations"}
    with pytest.raises(ValueError, match="cannot be checked: No claim of its own: .* cor1 solved for K"):
        check("cor1-iterations", SETTING)


def test_scaling_by_nonsense_is_an_error():
    for factor in (0, -1, math.nan):
        with pytest.raises(ValueError, match="factor"):
            SHARP.scaled(factor)
    assert SHARP.scaled(2).scaled(0.25).factor == 0.5


@pytest.mark.parametrize(
    ("tasks", "w", "message"),
    [
        ("tasks", np.ones(3), "tasks = 'tasks': must have"),
        (TASKS, np.ones(4), r"w has shape \(4,\): the last axis must be 3"),
        (TASKS, [1, 2, np.nan], "w contains nan"),
        (TASKS, np.ones((1, 3)), "w has shape"),
    ],
)
def test_bad_settings_are_named(tasks, w, message):
    with pytest.raises(ValueError, match=message):
        Setting(tasks, w, InnerLoop(0.1, 1))


def test_cells_are_tasks():
    tasks = Trigonometric.random(2, 5, 0).with_noise(AdditiveGaussian(1.0))
    verdict = check("prop2-first", at(tasks, 1.0, 0.1, 2), budget=5000)
    assert 0 <= verdict.cell < 5


def sampled(draw, sense="<=", **changes):
    """prop2-first with another sampler: ``draw(rng, replicates)``."""
    claim = claims.get("prop2-first")
    sampling = dataclasses.replace(claim.measurement.sampled, draw=lambda setting: draw)
    measurement = dataclasses.replace(claim.measurement, sampled=sampling, **changes)
    return dataclasses.replace(claim, measurement=measurement, sense=sense)


def heavy_tailed(index: float):
    """The claim ``E ||w_N - w~_N|| <= bound`` with replicates of a Pareto law of the given tail
    index in place of distances.
    """
    return sampled(lambda rng, replicates: rng.pareto(index, (replicates, 1)))


def test_without_a_ceiling_a_lower_limit_is_certified_and_an_upper_one_is_named_asymptotic():
    # Tail index 1.1: mean 10, no variance. Half the mean is refuted all the same, by certified limits.
    bound = float(claims.get("prop2-first").right_side(SETTING))
    low = check(heavy_tailed(1.1).scaled(2 / bound), SETTING, budget=40_000)
    assert (low.outcome, low.evidence) == ("violated", "certified")
    high = check(heavy_tailed(4.0).scaled(1000), SETTING, budget=40_000)
    assert (high.outcome, high.evidence) == ("holds", "asymptotic")
    assert high.reason == "decided; asymptotic: nothing is proved that bounds the replicates"


def test_too_small_a_budget_says_what_would_be_needed():
    small = check(SHARP.scaled(1.02), SETTING, method="monte-carlo", budget=2000)
    assert small.outcome == "inconclusive"
    assert float(small.reason.split("about ")[1].split()[0]) > 2000
    assert check(SHARP.scaled(1.02), SETTING, method="monte-carlo", budget=100_000).outcome == "holds"


def test_the_verdict_says_which_budget_ended_it():
    assert check(SHARP, SETTING, method="monte-carlo", budget=20_000).reason.startswith("budget spent")
    assert check(SHARP, SETTING, method="monte-carlo", budget=10**9, seconds=0.3).reason.startswith("time spent")
    assert check(SHARP.scaled(2), SETTING, method="monte-carlo", budget=10**9, seconds=0.3).reason == "decided"


def test_rounding_excuses_a_value_above_the_bound_but_confirms_none():
    bound = float(claims.get("prop2-first").right_side(SETTING))
    above = sampled(lambda rng, n: 2 * bound + 1e-3 * rng.standard_normal((n, 1)), resolution=lambda setting: 10.0)
    assert check(above, SETTING, budget=10_000).outcome == "inconclusive"
    exact = dataclasses.replace(above.measurement, exact=lambda setting: np.array([2 * bound]))
    assert check(dataclasses.replace(above, measurement=exact), SETTING).outcome == "violated"


def test_replicates_that_all_agree_are_not_trusted():
    found = check(sampled(lambda rng, n: np.zeros((n, 1))), SETTING, budget=10_000)
    assert found.outcome == "inconclusive"
    assert "too rare" in found.reason
    assert check("prop2-mean", at(TASKS, 1.0, 0.1, 3), method="monte-carlo").outcome == "holds"


def test_the_cell_reported_is_one_that_decides():
    bound = float(claims.get("prop2-first").right_side(SETTING))

    def draw(rng, n):
        # Cell 0: precise and 1 % too large. Cell 1: larger, but so noisy that nothing follows.
        return bound * np.stack([1.01 + 1e-4 * rng.standard_normal(n), 1.05 + 5 * rng.standard_normal(n)], axis=1)

    found = check(sampled(draw), SETTING, budget=5000)
    assert (found.outcome, found.cell) == ("violated", 0)
    assert found.lower > found.bound
    assert check(sampled(lambda rng, n: draw(rng, n) * [0.9, 1]), SETTING, budget=5000).cell == 1


def test_a_scaled_claim_says_so():
    found = check(SHARP.scaled(0.5), SETTING)
    assert found.factor == 0.5
    assert "bound times 0.5" in str(found)
    assert found.as_dict()["factor"] == 0.5


def test_overflow_is_said_and_no_verdict():
    # The bound overflows: not applicable. The value overflows below an infinite bound: the same.
    huge = at(TASKS, 1.0, 10.0, 2000)
    found = check("prop2-second", huge)
    assert found.outcome == "not applicable"
    assert "overflows" in found.reason


def test_noise_below_its_certificate_has_no_exact_value():
    @dataclasses.dataclass(frozen=True)
    class Half:
        """Half the noise that it certifies."""

        sigma_g: float = 1.0
        sigma_H: float = 0.0

        def draw(self, rng, shape, dim, size):
            return AdditiveGaussian(0.5).draw(rng, shape, dim, size)

    found = check("prop2-second", at(TASKS.population.with_noise(Half()), 1.0, 0.1, 1))
    assert found.method == "monte-carlo"
    assert found.ratio == pytest.approx(0.25, rel=0.1)


def test_memory_is_refused_by_name():
    from maml_bench.problems import RandomPhase

    tasks = TASKS.population.with_noise(RandomPhase(1.0, 1.0))
    with pytest.raises(ValueError, match="GB"):
        check("prop2-first", at(tasks, 1.0, 0.1, 1, S=10**7))


@pytest.fixture
def asked(monkeypatch):
    """What the estimands are asked for: (name, level, cells, ceiling, bound of the mean square) of each."""
    seen, real = [], dict(estimands.ESTIMANDS)
    for name, make in real.items():

        def noted(level, cells, ceiling, square, name=name, make=make):
            seen.append((name, pytest.approx(level, rel=1e-12), cells, ceiling, square))
            return make(level, cells, ceiling, square)

        monkeypatch.setitem(estimands.ESTIMANDS, name, noted)
    return seen


@pytest.mark.parametrize("confidence", [0.99, 0.5])
def test_the_error_that_is_allowed_reaches_the_limits(asked, confidence):
    """All of it where one side can be wrong, half of it where both can; an equality of matrices is a bound."""
    three, effort = Trigonometric.random(2, 3, 0).with_noise(AdditiveGaussian(1.0)), {"budget": 100}
    for sense, share in (("<=", 1), (">=", 1), ("=", 2)):
        check(sampled(lambda rng, n: rng.random((n, 1)), sense), SETTING, confidence=confidence, **effort)
        assert asked.pop() == ("mean", (1 - confidence) / share, 1, None, None)
    check("prop2-first", at(three, 1.0, 0.1, 2), confidence=confidence, **effort)
    assert asked.pop()[:3] == ("mean", 1 - confidence, 3)
    hessian = ZerothOrder(0.1, 10, stein=True)
    smoothed = dataclasses.replace(at(three.population, 1.0, 0.1, 2), hessian=hessian)
    check("prop5", smoothed, form="stein", method="monte-carlo", confidence=confidence, **effort)
    assert asked.pop()[:3] == ("norm of mean", 1 - confidence, 3)
    both = [claims.get("prop2-first", form) for form in ("paper", "sharp")]
    check_all(both, SETTING, confidence=confidence, **effort)
    assert [entry[:3] for entry in asked] == [("mean", 1 - confidence, 1)]  # once for all forms


def test_what_is_proved_of_replicates_reaches_the_limits(asked):
    """A ceiling; in its place a bound of the mean square where there is one, and nothing beside it for a value."""
    two, nine = np.full(1, 2.0), np.full(1, 9.0)
    for ceiling, square in ((two, None), (two, nine), (None, nine)):
        for precision in (math.inf, 0.05):
            draw = Capped(lambda rng, n: rng.random((n, 1)), ceiling, square)
            check(sampled(draw), SETTING, budget=100, precision=precision)
            known = [(None, square) if square is not None else (ceiling, None)]
            known += [(None, None)] if square is not None and precision < math.inf else []
            assert [entry[3:] for entry in asked] == known
            asked.clear()


def test_a_certified_outcome_is_waited_for_where_the_budget_may_bring_it():
    """Numbers of mean 1/2 whose mean square is known to be at most 25, or 10^6: asymptotic limits decide soon."""
    right = float(np.max(sampled(None).right_side(SETTING)))
    for square, bound, evidence, most in ((25.0, 0.9, "certified", 20_000), (1e6, 0.9, "asymptotic", 2048)):
        draw = Capped(lambda rng, n: rng.random((n, 1)), None, np.full(1, square))
        claim = sampled(draw)
        found = check(claim.scaled(bound / right), SETTING, budget=100_000, precision=0.1)
        assert (found.outcome, found.evidence, found.limits) == ("holds", evidence, "asymptotic")
        assert found.replicates <= most
        assert ("decides it only with more" in found.reason) == (evidence == "asymptotic")


def test_certified_limits_that_are_close_enough_and_decide_nothing_leave_it_to_asymptotic_ones():
    draw = Capped(lambda rng, n: rng.random((n, 1)), None, np.ones(1))
    claim = sampled(draw)
    found = check(claim.scaled(0.525 / np.max(claim.right_side(SETTING))), SETTING, budget=4096, precision=0.2)
    assert (found.outcome, found.evidence, found.limits) == ("holds", "asymptotic", "asymptotic")
    assert found.upper <= found.bound


@pytest.mark.parametrize(("form", "stein"), [("identity", False), ("stein", True)])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_of_an_equality_of_matrices_the_difference_is_drawn_and_bounded(asked, monkeypatch, form, stein, factor):
    """The ceiling of a difference is that of the draw and the norm of what its mean is asserted to be; or none."""
    three, claim = Trigonometric.random(2, 3, 0), claims.get("prop5", form).scaled(factor)
    setting = dataclasses.replace(at(three, 1.0, 0.1, 2), hessian=ZerothOrder(0.1, 10, stein=stein))
    draw, target = claim.measurement.sampled.draw(setting), factor * claim.measurement.target(setting)
    ceiling = draw.ceiling + np.linalg.norm(target, axis=(1, 2))
    drawn = []
    monkeypatch.setattr("maml_bench.verdict.looks", lambda draw, *_, **__: drawn.append(draw) or iter(()))
    check(claim, setting, method="monte-carlo")
    _, _, cells, known, square = asked.pop()
    np.testing.assert_allclose(known, ceiling)
    assert (cells, square) == (3, None)
    values = draw(np.random.default_rng(1), 5) - target
    np.testing.assert_array_equal(drawn[0](np.random.default_rng(1), 5), values)
    for plain in (lambda rng, n: draw(rng, n), Capped(draw, None, np.full(3, 9.0))):
        sampling = dataclasses.replace(claim.measurement.sampled, draw=lambda setting, plain=plain: plain)
        measured = dataclasses.replace(claim.measurement, sampled=sampling)
        check(dataclasses.replace(claim, measurement=measured), setting, method="monte-carlo")
        assert asked.pop()[2:] == (3, None, None)  # a mean square is not that of a difference


def test_no_precision_asked_for_is_infinity_whoever_writes_it():
    for precision in (math.inf, float("inf")):
        found = check(heavy_tailed(4.0).scaled(1000), SETTING, budget=40_000, precision=precision)
        assert found.reason == "decided; asymptotic: nothing is proved that bounds the replicates"


def test_a_verdict_in_words():
    numbers = {"value": 1.23456789, "lower": 1.2, "upper": 1.3, "bound": 3.7, "ratio": 1.23456789 / 3.7, "factor": 0.5}
    found = Verdict(
        "a_b", "sharp", Outcome.HOLDS, evidence=Evidence.CERTIFIED, replicates=1234, reason="why", **numbers
    )
    assert str(found) == (
        "a_b (sharp, bound times 0.5): holds; measured 1.235 in [1.2, 1.3], bound 3.7, ratio 0.334; certified, why"
    )
    assert found._repr_latex_() == (
        r"$\text{a\_b (sharp): holds; 1.23457 in [1.2, 1.3], bound 3.7, times 0.5; certified}$"
    )
    cells = ["holds", "why", "1.23457 in [1.2, 1.3]", "3.7, times 0.5; measured / bound = 0.3337"]
    names = ("outcome", "reason", "measured", "bound", "evidence")
    rows = zip(names, [*cells, "certified, 1,234 replicates"], strict=True)
    assert found._repr_html_().endswith("".join(f"<tr><th>{a}</th><td>{b}</td></tr>" for a, b in rows) + "</table>")
    plain = dataclasses.replace(found, factor=1.0, lower=1.23456, upper=1.2346, replicates=0)
    assert str(plain) == "a_b (sharp): holds; measured 1.235, bound 3.7, ratio 0.334; certified, why"
    assert "1.23457, bound 3.7; certified" in plain._repr_latex_()
    assert "<td>1.23457</td>" in plain._repr_html_() and "<td>certified</td>" in plain._repr_html_()
    refused = Verdict("a_b", "sharp", Outcome.NOT_APPLICABLE, reason="needs d < 3")
    assert str(refused) == "a_b (sharp): not applicable; needs d < 3"
    assert refused._repr_latex_() == r"$\text{a\_b (sharp): not applicable; needs d < 3}$"
    assert refused._repr_html_().count("<tr>") == 2


def test_results_read_well_in_a_notebook():
    page = check(SHARP.scaled(0.5), SETTING)._repr_html_()
    assert "<td>violated</td>" in page and "times 0.5; measured / bound = 2" in page and "<td>exact</td>" in page
    far = check("prop2-second", at(TASKS, 1.0, 10.0, 2000))._repr_html_()
    assert "not applicable" in far and "measured" not in far
    assert claims.get("prop2-second")._repr_latex_().count(r"\le") == 1
    assert repr(claims.get("prop1")).startswith("Claim('prop1', 'sharp': sup over u of ")
    assert statement("prop2-second")._repr_html_().count("<tr>") == 2
    assert statement("prop2-second").forms["sharp"]._repr_latex_().startswith("$")
