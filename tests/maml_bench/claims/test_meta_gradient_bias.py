"""Proposition 3: the bias by sampling against exact values and against sampling without any trick.

Sampled values are compared with exact ones at confidence 1 - 1e-6: that is the false-alarm rate on each side.
Seeds are fixed.
"""

import copy
import itertools

import numpy as np
import pytest
import scipy
from zoo import assert_same_mean, at

from analytic import bound
from maml_bench import InnerLoop, Setting, check, claims, measure
from maml_bench.adaptation import stochastic_path
from maml_bench.claims import meta_gradient
from maml_bench.claims.claim import by_measurement
from maml_bench.claims.constants import meta_gradients
from maml_bench.exact import moments
from maml_bench.hessians import CentralDifference, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient_along, stochastic_meta_gradient
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)
from maml_bench.problems.noise import LinearTerm, Mirrored
from maml_bench.study.facts import loglog_slope

pytestmark = pytest.mark.by_chance(1e-5)

SEED = 0
CERTAIN = 1 - 1e-6


def trigonometric(noise, dim=3, tasks=4, w=1.0, **inner):
    return Setting(Trigonometric.random(dim, tasks, 5).with_noise(noise), np.full(dim, w), InnerLoop(**inner))


def plain(setting, rng, replicates):
    """G^_i - grad calL_i(w), (replicates, tasks, d), without any trick."""
    tasks = setting.tasks
    start = np.broadcast_to(setting.w, (replicates, *(1,) * len(tasks.batch_shape), tasks.dim))
    sampled = stochastic_meta_gradient(tasks, start, setting.inner, setting.hessian, rng)
    return sampled.reshape(replicates, -1, tasks.dim) - meta_gradients(setting)


def given_the_path(setting, rng, replicates):
    """As `plain`, with population Hessians and gradient; and the same for the mirrored noise."""
    tasks = setting.tasks
    start = np.broadcast_to(setting.w, (replicates, *(1,) * len(tasks.batch_shape), tasks.dim))
    twin = copy.deepcopy(rng)
    for source, stream in ((tasks, rng), (Mirrored(tasks), twin)):
        path = stochastic_path(source, start, setting.inner, stream)
        value = exact_meta_gradient_along(tasks, path, setting.inner.alpha)
        yield value.reshape(replicates, -1, tasks.dim) - meta_gradients(setting)


def spread(values):
    return values.mean(1).var(0).sum()


# Exact values


@pytest.mark.parametrize("noise", [AdditiveGaussian(0.7), RandomPhase(0.7, 1.5)], ids=["additive", "random-phase"])
def test_there_is_no_bias_on_quadratics(noise):
    setting = at(Quadratic.random(3, 2, 0).with_noise(noise), 1.0, 0.05, 4, S=2)
    for form in claims.forms("prop3"):
        verdict = check("prop3", setting, form=form)
        assert (verdict.method, verdict.value, verdict.outcome) == ("exact", 0.0, "holds")
        sampled = check("prop3", setting, form=form, method="monte-carlo", budget=1000)
        assert sampled.value <= meta_gradient.rounding(setting)
        # Of a bound of 0 rounding is left, which violates nothing.
        assert sampled.outcome in (("holds",) if verdict.bound > 0 else ("holds", "inconclusive"))
    values = plain(setting, np.random.default_rng(SEED), 20_000)
    assert_same_mean(values, np.zeros((2, *values.shape[1:])))


def test_there_is_no_bias_without_noise():
    setting = at(Trigonometric.random(3, 2, 0), 1.0, 0.05, 3)
    assert check("prop3", setting).value == 0
    assert check("prop3", setting, method="monte-carlo", budget=1000).value <= meta_gradient.rounding(setting)


@pytest.mark.parametrize("form", ["sharp", "smooth"])
def test_one_step_by_hand(form):
    # Only the last gradient sees the noise, and E sin(t + x) = exp(-s^2/2) sin(t) for x ~ N(0, s^2),
    # where x is v_k times the error of w_1: s^2 = alpha^2 sigma_g^2 |v_k|^2 / (d S).
    setting = trigonometric(AdditiveGaussian(2.0), alpha=0.3, steps=1, S=2, D=3, T=5)
    tasks, w = setting.tasks.population, setting.w
    bias = []
    for i in range(4):
        task = tasks[i]
        end = w - 0.3 * task.grad(w)
        variance = 0.3**2 * 2.0**2 * np.sum(task.frequency**2, axis=-1) / (3 * 2)
        lost = task.amplitude * np.sin(task.frequency @ end + task.phase) * (1 - np.exp(-variance / 2))
        bias.append((np.eye(3) - 0.3 * task.hess(w)) @ (lost @ task.frequency))
    size = np.linalg.norm(np.mean(bias, axis=0)) if form == "sharp" else np.linalg.norm(bias, axis=-1)
    verdict = check("prop3", setting, form=form, precision=0.003, confidence=CERTAIN, seed=SEED)
    assert verdict.method == "monte-carlo"
    assert verdict.lower <= np.ravel(size)[verdict.cell] <= verdict.upper


def one_variable(steps):
    return trigonometric(AdditiveGaussian(1.0), dim=1, w=0.4, alpha=0.3, steps=steps, S=2, D=3, T=5)


def bandit(alpha=0.6, **sizes):
    return Setting(SoftmaxBandit.random(3, 2, 0), np.array([0.5, 0.0, -1.0]), InnerLoop(alpha, 3, **sizes))


@pytest.mark.parametrize("form", ["local", "smooth"])
@pytest.mark.parametrize(
    "setting", [one_variable(2), one_variable(3), bandit(S=3, D=2, T=2)], ids=["one variable", "three steps", "bandit"]
)
def test_sampling_meets_the_exact_bias(setting, form):
    exact = check("prop3", setting, form=form, method="exact")
    sampled = check(
        "prop3", setting, form=form, method="monte-carlo", precision=1e-9, confidence=CERTAIN, seed=SEED, budget=2**16
    )
    assert exact.value > 100 * meta_gradient.rounding(setting)
    assert sampled.cell == exact.cell
    assert sampled.lower <= exact.value <= sampled.upper
    # A certified width is a part of the envelope, which is of the size of the bound; an asymptotic one of the bias.
    scale = sampled.value if sampled.evidence == "asymptotic" else sampled.bound
    assert sampled.upper - sampled.lower <= 0.15 * scale


def test_quadrature_knows_the_corners_of_a_kink():
    tasks = Kink(np.array([[0.2], [-0.1]]), np.array([[0.5], [-0.3]])).with_noise(AdditiveGaussian(1.0))
    setting = at(tasks, 0.3, 0.3, 2, S=2)
    options = {"form": "local", "confidence": CERTAIN, "seed": SEED}
    exact = check("prop3", setting, method="exact", **options)
    sampled = check("prop3", setting, method="monte-carlo", precision=0.03, **options)
    assert sampled.lower <= exact.value <= sampled.upper


# Sampling without any trick


@pytest.mark.parametrize(
    "setting",
    [
        trigonometric(RandomPhase(3.0, 1.5), dim=2, tasks=2, alpha=0.3, steps=3, S=2, D=1, T=3),
        trigonometric(AdditiveGaussian(4.0), dim=2, tasks=2, alpha=0.3, steps=3, S=2, T=3),
        at(Logistic.random(2, 2, 0).support, 1.0, 2.0, 3, S=1, D=2, T=2),
        bandit(alpha=4.0, S=1),
    ],
    ids=["random-phase", "additive", "logistic", "bandit"],
)
def test_no_trick_changes_the_mean(setting):
    tricky = meta_gradient.biases(setting)(np.random.default_rng(SEED), 20_000)
    untouched = np.concatenate([plain(setting, np.random.default_rng([SEED, block]), 20_000) for block in range(8)])
    assert_same_mean(tricky, untouched)
    # The case can tell: the bias is many standard errors of the plain sample.
    error = np.sqrt(untouched.var(0).sum(-1) / len(untouched))
    assert (np.linalg.norm(tricky.mean(0), axis=-1) / error).max() > 10


def test_the_tricks_pay():
    small = trigonometric(RandomPhase(0.5, 1.0), dim=5, tasks=8, alpha=0.05, steps=3, S=64)
    rng = np.random.default_rng(SEED)
    straight, mirrored = given_the_path(small, rng, 1000)
    levels = [plain(small, rng, 1000), straight, (straight + mirrored) / 2, meta_gradient.biases(small)(rng, 1000)]
    gains = [spread(before) / spread(after) for before, after in itertools.pairwise(levels)]
    # Measured: 2e4 for fresh batches replaced by their mean, 4e5 for pairs, 6e10 for the expansion.
    assert gains[0] > 3e3
    assert gains[1] > 3e4
    assert gains[2] > 1e8


@pytest.mark.parametrize("noise", [AdditiveGaussian(300.0), RandomPhase(30.0, 1.0)], ids=["additive", "random-phase"])
def test_the_expansion_does_no_harm_where_the_noise_is_large(noise):
    setting = trigonometric(noise, alpha=0.1, steps=3)
    rng = np.random.default_rng(SEED)
    straight, mirrored = given_the_path(setting, rng, 4000)
    assert spread(meta_gradient.biases(setting)(rng, 4000)) < 1.15 * spread((straight + mirrored) / 2)


@pytest.mark.parametrize("limit", ["nothing", "first order"])
def test_without_memory_for_an_expansion_the_mean_is_the_same(monkeypatch, limit):
    setting = trigonometric(AdditiveGaussian(2.0), alpha=0.3, steps=3)
    full = meta_gradient.biases(setting)(np.random.default_rng(SEED), 20_000)
    monkeypatch.setattr(meta_gradient, "LARGEST_EXPANSION", 0 if limit == "nothing" else 4 * 9 * 3)
    assert_same_mean(full, meta_gradient.biases(setting)(np.random.default_rng(SEED + 1), 20_000))


# What the statement says


def test_five_percent_on_the_trigonometric_family_within_seconds():
    setting = trigonometric(RandomPhase(0.5, 1.0), dim=5, tasks=8, alpha=0.05, steps=3, S=64)
    verdict = check("prop3", setting, precision=0.05)
    assert verdict.outcome == "holds"
    assert verdict.upper - verdict.lower <= 0.1 * verdict.value
    assert verdict.seconds < 10


@pytest.mark.parametrize("noise", [AdditiveGaussian(1.0), RandomPhase(1.0, 1.5)], ids=["additive", "random-phase"])
def test_the_bias_of_smooth_losses_is_of_order_one_over_s(noise):
    sizes = [4, 16, 64, 256]
    verdicts = [
        check("prop3", trigonometric(noise, alpha=0.1, steps=3, S=S), form="smooth", precision=0.01) for S in sizes
    ]
    slope = loglog_slope(sizes, *([getattr(v, name) for v in verdicts] for name in ("value", "lower", "upper")))
    assert -1.03 < slope.lower <= slope.upper < -0.97
    assert all(v.outcome == "holds" for v in verdicts)


def test_the_bias_at_a_kink_is_of_order_one_over_root_s():
    # The slope is chosen so that the exact path meets the kink at 0 after one step: w = alpha (w^2/2 - slope).
    tasks = Kink(np.zeros((1, 1)), np.array([[0.3**2 / 2 - 0.3 / 0.1]])).with_noise(AdditiveGaussian(0.05))
    sizes = [4, 16, 64, 256]
    verdicts = [check("prop3", at(tasks, 0.3, 0.1, 2, S=S), form="local") for S in sizes]
    assert {v.method for v in verdicts} == {"exact"}
    values = [v.value for v in verdicts]
    assert loglog_slope(sizes, values, values, values).value == pytest.approx(-0.5, abs=0.01)


def test_forms_about_one_task_have_a_bound_for_each():
    setting = trigonometric(AdditiveGaussian(1.0), alpha=0.05, steps=3, S=2)
    smooth = claims.get("prop3", "smooth").right_side(setting)
    assert smooth.shape == (4,)
    alone = [
        float(bound("prop3", "smooth")(
            alpha=0.05, steps=3, S=2, L=r.L, rho=r.rho, tau=r.tau, sigma_g=1.0,
            task_grad_norm=np.linalg.norm(setting.tasks[i].grad(setting.w)),
        ))
        for r in [setting.tasks.regularity]
        for i in range(4)
    ]  # fmt: skip
    np.testing.assert_allclose(smooth, alone)
    assert claims.get("prop3", "local").right_side(setting).shape == ()


def test_the_bias_of_the_family_is_the_mean_of_the_biases_not_of_their_sizes():
    setting = one_variable(2)
    bias = moments(setting).bias[:, 0]
    assert bias.min() < 0 < bias.max()
    assert check("prop3", setting, form="local").value == pytest.approx(abs(bias.mean()))
    verdict = check("prop3", setting, form="smooth")
    assert verdict.value == pytest.approx(abs(bias[verdict.cell]))


def test_forms_are_grouped_by_what_they_measure():
    groups = by_measurement(claims.get("prop3", form) for form in claims.forms("prop3"))
    assert sorted(map(len, groups)) == [1, len(claims.forms("prop3")) - 1]


def test_what_the_statement_excludes():
    inner = InnerLoop(0.02, 2, S=4)
    tasks = RankOne.random(3, 2, 0, radius=1.5)
    w = np.array([1.0, 0.0, 0.0])
    reason = check("prop3", Setting(tasks.with_noise(AdditiveGaussian(0.1)), w, inner), form="local").reason
    assert "bounded gradient noise" in reason
    assert check("prop3", Setting(tasks.with_noise(RandomPhase(0.1, 1)), w, inner), form="local").outcome == "holds"
    reason = check("prop3", Setting(tasks.with_noise(RandomPhase(30.0, 1)), w, inner), form="local").reason
    assert "noise can add" in reason
    central = Setting(tasks.with_noise(RandomPhase(0.1, 1)), w, inner, CentralDifference(0.1))
    assert "states its kind, one of sampled, first-order" in (reason := check("prop3", central).reason)
    assert "CentralDifference states kind = 'central-difference'" in reason
    assert "one loss each" in check("prop3", Setting(Logistic.random(3, 2, 0), w, inner)).reason
    kink = Setting(Kink.random(3, 2, 0).with_noise(AdditiveGaussian(0.1)), w, inner)
    assert "finite tau" in check("prop3", kink, form="smooth").reason


@pytest.mark.parametrize(
    "hessian",
    [
        FirstOrder(),
        GaussianSmoothing(0.3, 4),
        ZerothOrder(0.3, 4, data="population"),
        ZerothOrder(0.3, 4, True, "population"),
    ],
    ids=["first order", "smoothing", "zeroth order", "stein"],
)
def test_the_bias_is_bounded_with_every_estimator(hessian):
    tasks = Trigonometric.random(2, 2, 5).with_noise(AdditiveGaussian(0.2))
    quiet = tasks.population if isinstance(hessian, ZerothOrder) else tasks
    setting = at(quiet, 1.0, 0.1 / tasks.regularity.L, 2, hessian, S=4)
    known = claims.forms("prop3") if isinstance(hessian, GaussianSmoothing) else set(claims.forms("prop3")) - {"paper"}
    for form in known:
        verdict = check("prop3", setting, form=form, budget=100_000, seed=3)
        assert verdict.outcome == "holds", (form, verdict)
    if known != claims.forms("prop3"):
        assert "no form 'paper' is known for" in check("prop3", setting, form="paper").reason


def test_the_bias_of_first_order_is_the_hessian_s_part():
    # On a quadratic the mean of G is (I - alpha A)^N (A w - b), the meta gradient (I - alpha A)^(2N) (A w - b).
    tasks = Quadratic(np.diag([1.0, -1.0]), np.zeros((1, 2))).with_noise(AdditiveGaussian(0.1))
    setting = at(tasks, 1.0, 0.1, 2, FirstOrder())
    M = np.diag([0.9, 1.1]) ** 2
    truth = np.linalg.norm((M - M @ M) @ [1.0, -1.0])
    verdict = check("prop3", setting, form="local", budget=1000)
    assert verdict.value == pytest.approx(truth, rel=1e-12)  # odd in the noise: mirrored pairs leave none
    # excess x = q^N - 1 times q^N g, and the noise at the end of the path adds nothing on average
    assert verdict.bound >= (1.1**2 - 1) * 1.1**2 * np.sqrt(2)


def test_no_path_leaves_the_ball_of_an_admitted_setting():
    tasks = RankOne.random(3, 2, 0, radius=1.5).with_noise(RandomPhase(3.0, 1.0))
    setting = at(tasks, np.array([1.0, 0.5, 0.0]), 0.03, 3)
    assert check("prop3", setting, form="local").outcome == "holds"
    path = stochastic_path(tasks, np.broadcast_to(setting.w, (5000, 1, 3)), setting.inner, np.random.default_rng(SEED))
    assert np.linalg.norm(path, axis=-1).max() < 1.5


def test_what_rounding_leaves_of_a_control_variate_is_none():
    """Beyond the radius of a kink gradients are linear as far as the noise reaches, and pairs cancel all of it."""
    tasks = Kink(center=[[0.37778613]], slope=[[0.49307324]]).with_noise(AdditiveGaussian(2.612191291697247))
    inner = InnerLoop(0.22692760979481505, 1, S=4)
    setting = Setting(tasks, np.array([2.35344953]), inner)
    assert meta_gradient._biases(setting)[2] == 0
    verdict = check(
        "prop3", setting, form="refined_local", seed=1353932320, budget=4096, precision=0, method="monte-carlo"
    )
    assert verdict.evidence == "certified"


class Lone(LinearTerm):
    __neg__ = None


class Skewed:
    """Exponential noise, less its mean: of one side, so that no mirror image has its law."""

    sigma_g, sigma_H = 1.5, 0.0

    def draw(self, rng, shape, dim, size):
        return Lone(1.5 * (rng.exponential(size=(*shape, size, dim)).mean(-2) - 1))


def test_skewed_noise_without_a_mirror_image_has_its_own_bias():
    """One step in one variable, by quadrature over the noise; pairs with the sign changed would be of another bias."""
    waves = Trigonometric(np.eye(1), np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1, 1)), np.zeros((1, 1)))
    alpha, w = 0.6, 0.2
    case = Setting(waves.with_noise(Skewed()), np.array([w]), InnerLoop(alpha, 1))
    slope, factor = lambda x: x - np.sin(x), 1 - alpha * (1 - np.cos(w))
    value = lambda xi: factor * slope(w - alpha * (slope(w) + 1.5 * (xi - 1)))
    mean = lambda function: scipy.integrate.quad(lambda xi: function(xi) * np.exp(-xi), 0, 60)[0]
    truth = abs(mean(value) - value(1.0))
    pairs = abs(mean(lambda xi: (value(xi) + value(2 - xi)) / 2) - value(1.0))
    found = measure("meta-gradient-bias", case, confidence=CERTAIN, budget=80_000)
    assert pairs < found.lower <= truth <= found.upper
