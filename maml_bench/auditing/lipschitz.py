"""Attacks on L, rho and tau by pairs of points, and on sigma and b_i by points.

On a ball the Lipschitz constant of a derivative is the supremum of its local rate of change, so close pairs suffice,
and each ratio found is a lower bound on the constant, whatever the distance: with ``w+- = w +- h e/2``,

- L: ``||grad l(w+) - grad l(w-)||/h``;
- rho: ``||(H(w+) - H(w-))e||/h``;
- tau: ``||(H(w + he) - 2H(w) + H(w - he))e||/h^2``, a weighted mean of fourth derivatives.

Along a symmetric form the direction e is improved by power steps: the norm is attained on the diagonal.
"""

import math

import numpy as np

from maml_bench.auditing.result import Row, judged, skipped
from maml_bench.search import affordable, basis, best_starts, inside, lift, maximize, one, random_points, unit

STARTS = 4
EPS = np.finfo(float).eps
CHECKED = {
    "L": "distance of gradients over distance of points",
    "rho": "distance of Hessians over distance of points",
    "tau": "second difference of Hessians over squared distance",
}


def length_scale(regularity) -> float:
    """The distance over which a certificate expects derivatives to change: the least ratio of two of its constants."""
    pairs = ((regularity.L, regularity.rho), (regularity.rho, regularity.tau))
    ratios = [a / b for a, b in pairs if a > 0 and 0 < b < math.inf]
    return float(np.clip(min([*ratios, regularity.radius, 1.0]), 1e-6, 1.0))


def steepness(regularity) -> float:
    """L, where one is claimed: the size of a Hessian, for what rounding may do; else 0, the strictest."""
    return regularity.L if math.isfinite(regularity.L) else 0.0


def _change(tasks, name, h, w, e):
    """The vector whose norm is the ratio, at points and unit directions (..., d)."""
    w = inside(w, tasks.regularity.radius - h)
    if name == "L":
        return (tasks.grad(w + h / 2 * e) - tasks.grad(w - h / 2 * e)) / h
    if name == "rho":
        return (tasks.hvp(w + h / 2 * e, e) - tasks.hvp(w - h / 2 * e, e)) / h
    return (tasks.hvp(w + h * e, e) - 2 * tasks.hvp(w, e) + tasks.hvp(w - h * e, e)) / h**2


def attack(tasks, name: str, rng, points: int) -> Row:
    """Search for a pair of points that refutes ``name``, one of L, rho and tau."""
    claimed = getattr(tasks.regularity, name)
    if math.isinf(claimed):
        return skipped(name, f"{name} is not claimed to be finite", claimed)
    h = length_scale(tasks.regularity) * (1e-2 if name == "tau" else 1e-3)
    shape = (affordable(tasks, points), *tasks.batch_shape)
    w = random_points(tasks, rng, shape)
    e = unit(rng.standard_normal(w.shape))
    values = np.full(shape, -np.inf)
    best = np.array(e)
    for _ in range(12):
        change = _change(tasks, name, h, w, e)
        size = np.nan_to_num(np.linalg.norm(change, axis=-1), nan=-1.0)
        best[size > values] = e[size > values]
        values = np.maximum(values, size)
        e = np.where(size[..., None] > 0, unit(change), e)
    climbed = (_climb_pair(tasks, name, h, rng, w[at], best[at], at[1:]) for at in best_starts(values, STARTS))
    value, w0, e0, index = max(climbed, key=_size)
    task = one(tasks, index)
    if name == "L":
        magnitude = np.linalg.norm(task.grad(w0)) + claimed * np.linalg.norm(w0)
    else:
        magnitude = np.linalg.norm(task.hvp(w0, e0)) + steepness(tasks.regularity)
    allowance = 1e3 * EPS * magnitude / h ** (2 if name == "tau" else 1)
    witness = {"w": w0.tolist(), "direction": e0.tolist(), "distance": h, "task": index}
    return judged(name, CHECKED[name], claimed, value, allowance=allowance, witness=witness)


def _size(found):
    return found[0]


def _climb_pair(tasks, name, h, rng, w, e, index):
    task = one(tasks, index)
    frame = basis(rng, w, e)
    scale = max(np.linalg.norm(_change(task, name, h, w, e)), getattr(tasks.regularity, name), EPS)

    def unpack(x):
        half = x.shape[-1] // 2
        return x[..., :half] @ frame.T, unit(x[..., half:] @ frame.T)

    def ratio(x):
        return np.linalg.norm(_change(task, name, h, *unpack(x)), axis=-1) / scale

    found = maximize(ratio, np.concatenate([frame.T @ w, frame.T @ e])[None], dim=tasks.dim)
    w, e = unpack(found.point)
    return found.value * scale, inside(w, tasks.regularity.radius - h), e, index


def _attack_points(tasks, size, claimed, rng, points, narrow):
    """Largest ``size(tasks, w)/claimed`` found over points; ``size`` has one value a point, or also one a task."""
    w = random_points(tasks, rng, (affordable(tasks, points),))
    values = size(tasks, lift(w, tasks)) / claimed
    best: tuple[float, np.ndarray | None, tuple[int, ...]] = (-np.inf, None, ())
    for m, *index in best_starts(values, STARTS):
        task = one(tasks, tuple(index)) if narrow else tasks
        limit = claimed[tuple(index)] if narrow else claimed
        frame = basis(rng, w[m])

        def ratio(x, task=task, limit=limit, frame=frame):
            return size(task, lift(inside(x @ frame.T, tasks.regularity.radius), task)) / limit

        found = maximize(ratio, (frame.T @ w[m])[None], dim=tasks.dim)
        best = max(best, (found.value, inside(frame @ found.point, tasks.regularity.radius), tuple(index)), key=_size)
    return best


def attack_heterogeneity(tasks, rng, points: int) -> Row:
    """Search for a point where the gradients of the tasks differ by more than sigma."""
    claimed = tasks.regularity.sigma
    if math.isinf(claimed):
        return skipped("sigma", "sigma is not claimed to be finite", claimed)

    def spread(tasks, w):
        gradients = tasks.grad(w).reshape(len(w), -1, tasks.dim)
        return np.sqrt(((gradients - gradients.mean(1, keepdims=True)) ** 2).sum(-1).mean(-1))

    scale = claimed or 1.0
    value, w, _ = _attack_points(tasks, spread, scale, rng, points, narrow=False)
    allowance = (
        1e3 * EPS * (np.linalg.norm(tasks.grad(w), axis=-1).max() + steepness(tasks.regularity) * np.linalg.norm(w))
    )
    checked = "root mean square distance of task gradients from their mean"
    return judged("sigma", checked, claimed, value * scale, allowance=allowance, witness={"w": w.tolist()})


def attack_distance(pairs, rng, points: int) -> Row:
    """Search for a point and a task where support and target gradients differ by more than b_i; reported as a ratio."""

    def distance(pairs, w):
        return np.linalg.norm(pairs.support.grad(w) - pairs.target.grad(w), axis=-1)

    b_i = np.asarray(pairs.b_i, dtype=float)
    scale = np.where(b_i > 0, b_i, max(b_i.max(), 1.0) * 1e-9)
    value, w, index = _attack_points(pairs, distance, scale, rng, points, narrow=True)
    checked = "distance of support and target gradients over b_i, for the worst task"
    return judged("b_i", checked, 1.0, value, witness={"w": w.tolist(), "task": index})
