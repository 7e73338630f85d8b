r"""Where the search for worst cases looks: spaces of problems of few numbers, each point a `Setting`.

Every number is clipped to [-1, 1] first, so that the ends of its range, where extremal problems lie, have weight.
Units: L is at most 1 and lengths are measured in L/rho; what counts are the constants that each problem certifies.
``alpha_l`` is alpha times that L.

*Paths* (one variable). A loss is shaped around the points of its own inner path from 0: at the j-th a curvature, and
slopes of it on either side within a reach; in between it is linear. With the third derivative in place of the second,
tau is finite. The noise has two points: a skewness, and a share of the balance that keeps all of the mass of the
path's error in one point (`extremal.instances`). All problems of a batch are enumerated at once.

*Smoothed* (one variable): five knots around w = 0. *Quadratics* in two dimensions: two tasks, or support and target,
or one task and an estimator of its Hessian.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic import bound
from analytic.bound import HypothesisError
from analytic.moments import two_point
from maml_bench.adaptation import InnerLoop, exact_path
from maml_bench.claims.claim import Claim
from maml_bench.hessians import CentralDifference, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient
from maml_bench.problems.finite_sum import FiniteSum
from maml_bench.problems.noise import TwoPoint, nearest
from maml_bench.problems.piecewise import Piecewise
from maml_bench.problems.quadratic import Quadratic
from maml_bench.setting import Setting

DIGITS = 1e11 * np.finfo(float).eps
"""A bound on a difference of larger numbers counts only if it is at least this fraction of them: else rounding wins."""

MATCHED, FLATTEST = 3, 1e-3
"""Rounds of loss and step size where alpha L is given, and the least L that takes part."""

SECANTS = np.concatenate([np.geomspace(1e-4, 1.0, 9), -np.geomspace(1e-4, 1.0, 9)])


@dataclass(frozen=True)
class Arena:
    """A space of problems.

    Attributes
    ----------
    size : int
        k, how many numbers make a problem.
    setting : callable
        The problem of a point (k,).
    ratios : callable
        ``ratios(claim, points)``: measured / bound at points (m, k); NaN where the claim does not apply.
    batch : int
        Points that one round of the search begins with.
    """

    name: str
    size: int
    setting: Callable[[np.ndarray], Setting]
    ratios: Callable[[Claim, np.ndarray], np.ndarray]
    batch: int = 1024


def exact_ratio(claim: Claim, setting: Setting) -> float:
    """Measured / bound of the worst cell; NaN where the claim does not apply or no exact value is known."""
    try:
        limit = claim.right_side(setting)
        value = claim.measurement.exact(setting)
    except (HypothesisError, OverflowError):
        return np.nan
    if value is None:
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(limit > 0, value / limit, np.nan)))


def one_by_one(name: str, size: int, setting: Callable[[np.ndarray], Setting]) -> Arena:
    """An arena whose problems are measured singly."""
    return Arena(name, size, setting, lambda claim, x: np.array([exact_ratio(claim, setting(row)) for row in x]), 64)


def between(x, low, high):
    """The number x, clipped to [-1, 1], on the scale from low to high."""
    return low + (high - low) * (1 + np.clip(x, -1, 1)) / 2


def step_sizes(x, form: str, steps: int, alpha_l: float | None):
    """Inner step sizes within the condition of the form where L is 1; all ``alpha_l`` if that is given."""
    if alpha_l is not None:
        return np.full(np.shape(x), alpha_l)
    largest = {"cone": 0.98 * np.sin(np.pi / (4 * steps))}.get(form, 0.98 * (2 ** (1 / (2 * steps)) - 1))
    return np.exp(between(x, np.log(0.02), np.log(0.5 if form in ("local", "refined_local", "smooth") else largest)))


# --- paths


def paths(form: str, alpha_l: float | None, steps: int, order: int) -> Arena:
    """Losses of one variable around their own inner path, with two-point noise.

    The certified L is known once a loss is made, and the loss is made around the path of a step size: where alpha L is
    given, a few rounds of both bring them together, and the last word has alpha.
    """
    size = 6 + 3 * (steps + 1) + (order == 3)

    def problems(x):
        rate = step_sizes(x[:, 0], form, steps, alpha_l)
        sigma_g, slope = 10 ** between(x[:, 1], -5, 0), 10 ** between(x[:, 2], -4, 1)
        shape = np.clip(x[:, 6 : 6 + 3 * (steps + 1)], -1, 1).reshape(len(x), steps + 1, 3)
        for _ in range(1 if alpha_l is None else MATCHED):
            reach = rate * sigma_g * 10 ** between(x[:, 3], 0, 2.5)
            loss = _around_path(rate, slope, reach, shape, order, np.clip(x[:, -1], -1, 1))
            if alpha_l is not None:
                rate = alpha_l / np.maximum(loss.constants[0], FLATTEST)
        path = exact_path(loss, np.zeros(1), rate[:, None], steps)[..., 0]
        skew = 100 * np.clip(x[:, 4], -1, 1) ** 3
        tilt = -between(x[:, 5], 0, 1) * (1 + rate) / (rate * sigma_g)
        return loss, path, rate, sigma_g, skew, tilt

    def setting(x):
        loss, path, rate, sigma_g, skew, tilt = problems(x[None])
        noise = TwoPoint(float(sigma_g[0]), float(skew[0]), float(tilt[0]), tuple(path[:, 0]))
        return Setting(loss[0].with_noise(noise), np.zeros(1), InnerLoop(float(rate[0]), steps))

    def ratios(claim, x):
        loss, path, rate, sigma_g, skew, tilt = problems(x)
        if claim.name == "prop1":
            return _smoothness(claim, loss, rate, steps)

        def parameter(points):
            return skew + tilt * nearest(points - np.moveaxis(path, 0, -1))

        start = np.zeros((len(x), 1))
        found: Any = two_point.path_moments(loss.grad, loss.hvp, parameter, start, [1.0], rate, steps, sigma_g, 1, 1)
        gradient, length = np.abs(found.gradient[:, 0]), np.abs(path).max(0)
        value, scale = {
            "prop2-first": (found.path_first, length),
            "prop2-second": (found.path_second, DIGITS * length**2),
            "prop2-mean": (np.abs(found.path_bias[:, 0]), length),
            "prop3": (np.abs(found.bias[:, 0]), gradient + length),
            "prop4": (found.second_moment, 0 * length),
        }[claim.name]
        limit = _bound(claim, loss, rate, steps, sigma_g, gradient)
        return np.where(limit > DIGITS * scale, value / np.where(limit > 0, limit, np.inf), np.nan)

    return Arena(f"paths, order {order}", size, setting, ratios)


def _around_path(rate, slope, reach, shape, order, curvature) -> Piecewise:
    """One loss a row, made point by point; ``shape`` (m, steps + 1, 3) holds what happens at each point of the path."""
    count = len(rate)
    knots, values = np.empty((count, 0)), np.empty((count, 0))
    point = np.zeros(count)
    for j in range(shape.shape[1]):
        here, before, after = np.moveaxis(shape[:, j], -1, 0)
        around = point[:, None] + reach[:, None] * np.array([-1.0, 0.0, 1.0])
        if order == 2:
            rise = np.stack([here + reach * before, here, here + reach * after], -1)
        else:
            rise = np.stack([before, here, after], -1)
        knots, values = np.concatenate([knots, around], 1), np.concatenate([values, np.clip(rise, -1, 1)], 1)
        loss = _sorted(knots, values, slope, reach, order, curvature)
        point = point - rate * loss.grad(point[:, None])[:, 0]
    return loss


def _sorted(knots, values, slope, reach, order, curvature) -> Piecewise:
    ranks = np.argsort(knots, axis=1)
    knots, values = (np.take_along_axis(array, ranks, 1) for array in (knots, values))
    if order == 2:
        return Piecewise(knots[:, None], values[:, None], slope[:, None])
    ends = np.stack([knots[:, 0] - reach, knots[:, -1] + reach], 1)
    knots = np.concatenate([ends[:, :1], knots, ends[:, 1:]], 1)
    values = np.pad(values, [(0, 0), (1, 1)])
    gained = np.sum(np.diff(knots) * (values[:, 1:] + values[:, :-1]) / 2, axis=1)
    return Piecewise(knots[:, None], values[:, None], slope[:, None], 3, (curvature - gained)[:, None])


def _bound(claim, loss, rate, steps, sigma_g, meta_gradient):
    """The right side for every row, at the constants that its loss certifies."""
    formula = bound(claim.name, claim.form)  # with exact Hessians, which these problems have
    L, rho, tau = loss.constants
    slope = np.abs(loss.grad(np.zeros(1))[:, 0])
    ones = {"S": 1, "D": 1, "T": 1, "sigma": 0.0, "sigma_H": 0.0, "dim": 1}
    given = {"alpha": rate, "steps": steps, "L": L, "rho": rho, "tau": tau, "sigma_g": sigma_g, **ones}
    given |= {"grad_norm": meta_gradient, "task_grad_norm": slope, "task_grad_rms": slope}
    wanted = {name: np.broadcast_to(given[name], rate.shape) for name in formula.arguments}
    usable = np.all([np.isfinite(value) for value in wanted.values()], axis=0) & (L >= FLATTEST)
    out = np.full(rate.shape, np.nan)
    if usable.any():
        try:
            out[usable] = claim.factor * formula(**{name: value[usable] for name, value in wanted.items()})
        except HypothesisError:  # of some row; the search stays within the step size, so this is rare
            for row in np.flatnonzero(usable):
                try:
                    out[row] = claim.factor * formula(**{name: value[row] for name, value in wanted.items()})
                except HypothesisError:
                    continue
    return out


def _smoothness(claim, loss, rate, steps):
    ends = exact_meta_gradient(loss, SECANTS[:, None, None], rate[:, None], steps)[..., 0]
    centre = exact_meta_gradient(loss, np.zeros(1), rate[:, None], steps)[..., 0]
    blur = 32 * np.finfo(float).eps * (steps + 1) * (np.abs(centre) + 1)
    value = np.max((np.abs(ends - centre) - blur) / np.abs(SECANTS)[:, None], axis=0)
    return value / _bound(claim, loss, rate, steps, np.ones(len(rate)), np.abs(centre))


# --- smoothed losses, and quadratics


def _estimator(claim: str, form: str, directions: int = 1):
    if claim == "hvp-central":
        return CentralDifference(1.0)
    if claim.startswith(("prop6", "prop7")):
        return GaussianSmoothing(1.0, directions, data="population")
    return ZerothOrder(1.0, directions, stein=claim == "zo-stein-vector" or form == "stein", data="population")


def smoothed(claim: str, form: str) -> Arena:
    """A loss of one variable, seen through Gaussian directions of radius 1 at 0, or through differences over 1."""
    order = 3 if form == "smooth" else 2

    def setting(x):
        gaps, values = 10 ** between(x[:4], -2, 1), np.clip(x[4:9], -1, 1)
        knots = np.concatenate([[0.0], np.cumsum(gaps)])
        knots += np.clip(x[9], -1, 1) ** 3 * gaps.sum() - knots[2]  # often with a knot near 0
        if order == 3:
            values = np.array([0.0, *values[1:4], 0.0])
        loss = Piecewise(knots[None], values[None], np.zeros(1), order, np.clip(x[10], -1, 1) if order == 3 else 0.0)
        return Setting(loss, np.zeros(1), InnerLoop(0.1, 1), _estimator(claim, form))

    return one_by_one("one variable, smoothed", 11, setting)


def _matrices(x):
    """Symmetric 2 x 2 matrices of spectral norm at most 1, the largest exactly 1, from (..., 3)."""
    a, b, c = np.moveaxis(np.clip(x, -1, 1), -1, 0)
    found = np.stack([np.stack([a, b], -1), np.stack([b, c], -1)], -2)
    largest = np.linalg.norm(found, ord=2, axis=(-2, -1)).max()
    return found / (largest if largest > 0 else 1.0)


def estimated(claim: str, form: str, alpha_l: float | None, steps: int) -> Arena:
    """A quadratic in the plane whose Hessian is estimated."""

    def setting(x):
        tasks = Quadratic(_matrices(x[None, :3]), np.clip(x[None, 3:5], -1, 1))
        return Setting(tasks, np.zeros(2), InnerLoop(alpha_l or 0.1, steps), _estimator(claim, form))

    return one_by_one("quadratics in the plane, estimated", 5, setting)


def several(form: str, alpha_l: float | None, steps: int) -> Arena:
    """Two quadratic tasks in the plane."""

    def setting(x):
        tasks = Quadratic(_matrices(x[:6].reshape(2, 3)), x[6:10].reshape(2, 2))
        rate = float(step_sizes(x[10], form, steps, alpha_l))
        return Setting(tasks, np.zeros(2), InnerLoop(rate, steps))

    return one_by_one("two quadratics in the plane", 11, setting)


def pairs(claim: str, form: str, alpha_l: float | None, steps: int) -> Arena:
    """Two quadratic tasks in the plane, with support and target losses of one Hessian each.

    But for Lemma A, which takes sigma at w, all have one Hessian: otherwise no sigma holds for all w.
    """

    def setting(x):
        A, target = _matrices(x[:6].reshape(2, 3)), x[6:10].reshape(2, 2)
        if claim != "finite-lemma-a":
            A = _matrices(x[:3])
        support = target + between(x[15], 0, 1) * x[10:14].reshape(2, 2)
        tasks = FiniteSum.pair(Quadratic(A, support), Quadratic(A, target))
        return Setting(tasks, np.zeros(2), InnerLoop(float(step_sizes(x[14], form, steps, alpha_l)), steps))

    return one_by_one("two pairs of quadratics in the plane", 16, setting)


def arenas(claim: str, form: str, alpha_l: float | None = None, steps: int | None = None) -> list[Arena]:
    """The arenas in which a claim can be attacked; none for a claim whose worst cases no arena holds."""
    counts = (steps,) if steps else (1, 2, 3)
    if claim in ("prop1", "prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4"):
        return [paths(form, alpha_l, n, 3 if form == "smooth" else 2) for n in counts if claim != "prop2-mean" or n > 1]
    if claim in ("prop8", "prop8-mean"):
        return [estimated(claim, form, alpha_l, n) for n in counts]
    if claim in ("prop7-spectral", "hvp-central"):
        return [smoothed(claim, form)]
    if claim in ("prop5", "prop6", "prop7-vector", "prop7-frobenius", "zo-vector", "zo-stein-vector"):
        return [smoothed(claim, form), estimated(claim, form, alpha_l, 1)]
    if claim in ("lemma-a", "lemma-a-tasks"):
        return [several(form, alpha_l, n) for n in counts]
    if claim in ("finite-lemma-a", "finite-prop4"):
        return [pairs(claim, form, alpha_l, n) for n in counts]
    return []
