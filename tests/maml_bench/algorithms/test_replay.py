"""Replays against loops written by hand, one task, one direction and one number at a time."""

import numpy as np
import pytest

from maml_bench.algorithms import replay
from maml_bench.algorithms.programs import METHODS, RANK_ONE_DEVIATIONS
from maml_bench.problems.sine import NETWORK, SineRegression
from studies import rank_one, sine

ITERATIONS, TASKS, STEPS, Q, D = 4, 3, 3, 5, 4
ALPHA, BETA, NU = 0.03, 0.02, 0.3
RELEASED = {"collapsed-loss", "one-step-maml", "doubled-step", "aliased-difference", "fixed-directions"}
PROTOCOLS = [set(), *({name} for name in RANK_ONE_DEVIATIONS), RELEASED]


class RankOneByHand:
    """The loss through matrices, or the collapsed one, and its Hessian entry by entry."""

    def __init__(self, x, collapsed):
        self.x, self.collapsed = x, collapsed

    def loss(self, w):
        if self.collapsed:
            return (np.sum(w * w) - np.sum(self.x * self.x)) ** 2 / 4
        return np.sum((np.outer(w, w) - np.outer(self.x, self.x)) ** 2) / 4

    def grad(self, w):
        if self.collapsed:
            return np.array([(np.sum(w * w) - np.sum(self.x * self.x)) * w[i] for i in range(D)])
        return (np.outer(w, w) - np.outer(self.x, self.x)) @ w

    def hess(self, w):
        out = np.empty((D, D))
        for i in range(D):
            for j in range(D):
                own = np.sum(w * w) - (np.sum(self.x * self.x) if self.collapsed else 0)
                cross = 0 if self.collapsed else self.x[i] * self.x[j]
                out[i, j] = own * (i == j) + 2 * w[i] * w[j] - cross
        return out


class SineByHand:
    """One task; its derivatives have tests of their own."""

    def __init__(self, x, y):
        self.task = SineRegression(x, y)
        self.loss, self.grad = self.task.loss, self.task.grad

    def times(self, w, v):
        return self.task.hvp(w, v)


def by_hand(method, deviations, w, pairs, directions, alpha, nu, step):
    """The losses and the last w; ``pairs[k][i]`` holds support and target of task i, ``directions[k][i][j]`` Q rows."""
    losses, memory = [], {}
    for k, tasks in enumerate(pairs):
        total, gradients = 0.0, []
        for i, (support, target) in enumerate(tasks):
            steps, inner = len(directions[k][i]), alpha
            if method == "maml":
                steps = 1 if "one-step-maml" in deviations else steps
            elif "doubled-step" in deviations:
                inner = alpha + alpha
            path = [w]
            for _ in range(steps):
                path.append(path[-1] - inner * support.grad(path[-1]))
            total += target.loss(path[-1])
            v = target.grad(path[-1])
            for j in reversed(range(steps)):
                u = directions[0 if "fixed-directions" in deviations else k][i][j]
                v = v - alpha * hessian(method, deviations, support, path[j], u, nu, v)
            gradients.append(v)
        losses.append(total)
        w = step(w, sum(gradients) / len(gradients), memory)
    return np.array(losses), w


def hessian(method, deviations, support, w, directions, nu, v):
    if method == "first-order" or method == "maml" and {"one-step-maml", "first-order-maml"} & deviations:
        return np.zeros_like(v)
    if method == "maml":
        return support.times(w, v) if isinstance(support, SineByHand) else support.hess(w) @ v
    total = np.zeros_like(v)
    for u in directions:
        if method == "ggs":
            there, here = support.grad(w + nu * u), support.grad(w)
            if "aliased-difference" in deviations:
                here = np.array([2 * here[0] for _ in here])
            total = total + (there - here) / nu * np.dot(u, v)
        else:
            second = support.loss(w + nu * u) + support.loss(w - nu * u) - 2 * support.loss(w)
            total = total + second / (2 * nu**2) * u * np.dot(u, v)
    return total / len(directions)


def plain(w, gradient, memory):
    return w - BETA * gradient


def adam(w, gradient, memory):
    t = memory["t"] = memory.get("t", 0) + 1
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * gradient
    v = memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * gradient * gradient
    return w - BETA * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def arrays(rng):
    return {
        "w": rng.standard_normal(D),
        "support": rng.standard_normal((ITERATIONS, TASKS, D)),
        "target": rng.standard_normal((ITERATIONS, TASKS, D)),
        "directions": rng.standard_normal((ITERATIONS, TASKS, STEPS, Q, D)),
    }


@pytest.mark.parametrize("deviations", PROTOCOLS, ids=lambda names: "+".join(sorted(names)) or "specified")
@pytest.mark.parametrize("method", METHODS)
def test_rank_one_under_every_deviation(method, deviations, rng):
    data = arrays(rng)
    collapsed = "collapsed-loss" in deviations
    pairs = [
        [(RankOneByHand(x, collapsed), RankOneByHand(z, collapsed)) for x, z in zip(*both, strict=True)]
        for both in zip(data["support"], data["target"], strict=True)
    ]
    expected = by_hand(method, deviations, data["w"], pairs, data["directions"], ALPHA, NU, plain)
    found = replay.rank_one(method, protocol=deviations, **data, alpha=ALPHA, beta=BETA, nu=NU)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


def test_released_is_all_five_and_specified_is_none(rng):
    data = arrays(rng)
    for method in METHODS:
        for name, deviations in (("released", RELEASED), ("specified", frozenset())):
            losses, w = replay.rank_one(method, protocol=name, **data, alpha=ALPHA, beta=BETA, nu=NU)
            same, end = replay.rank_one(method, protocol=deviations, **data, alpha=ALPHA, beta=BETA, nu=NU)
            assert np.array_equal(losses, same) and np.array_equal(w, end)


def test_each_deviation_matters_to_the_methods_it_names_and_to_no_other(rng):
    data = arrays(rng)

    def losses(method, *deviations):
        return replay.rank_one(method, protocol=set(deviations), **data, alpha=ALPHA, beta=BETA, nu=NU)[0]

    named = {
        "collapsed-loss": set(METHODS),
        "one-step-maml": {"maml"},
        "first-order-maml": {"maml"},
        "doubled-step": {"first-order", "ggs", "zeroth-order"},
        "aliased-difference": {"ggs"},
        "fixed-directions": {"ggs", "zeroth-order"},
    }
    for deviation, touched in named.items():
        for method in METHODS:
            assert np.array_equal(losses(method), losses(method, deviation)) == (method not in touched)


def test_one_step_of_the_smallest_case_in_numbers():
    # d = 1, w = 2, x = 1 on both sides, N = 1, alpha = 0.1: gradient w^3 - w = 6, adapted point 1.4, gradient there
    # 1.344, Hessian at w 3w^2 - 1 = 11, so the meta gradient is (1 - 1.1) 1.344 = -0.1344, and w = 2 + 0.05 * 0.1344.
    data = {"w": [2.0], "support": [[[1.0]]], "target": [[[1.0]]], "directions": [[[[1.0]]]]}
    numbers = {"alpha": 0.1, "beta": 0.05, "nu": 0.5}
    losses, w = replay.rank_one("maml", protocol="specified", **data, **numbers)
    np.testing.assert_allclose([losses[0], w[0]], [(1.4**2 - 1) ** 2 / 4, 2.00672], rtol=1e-14)
    # GGS along u = 1: [(2.5^3 - 2.5) - 6] / 0.5 = 14.25, meta gradient (1 - 1.425) 1.344.
    assert replay.rank_one("ggs", protocol="specified", **data, **numbers)[1] == pytest.approx(2 + 0.05 * 0.425 * 1.344)
    # Zeroth order: l(2.5) = 6.890625, l(1.5) = 0.390625, l(2) = 2.25: second difference 2.78125 / 0.5 = 5.5625.
    found = replay.rank_one("zeroth-order", protocol="specified", **data, **numbers)[1]
    assert found == pytest.approx(2 - 0.05 * (1 - 0.55625) * 1.344)


@pytest.mark.parametrize("protocol", ["specified", "released"])
@pytest.mark.parametrize("method", METHODS)
def test_sine(method, protocol, rng):
    deviations = {"first-order-maml", "fixed-directions"} if protocol == "released" else set()
    x, y = rng.uniform(-5, 5, (3, 2, 7)), rng.standard_normal((3, 2, 7))
    w, directions = NETWORK.initial(rng), rng.standard_normal((3, 2, 2, 3, NETWORK.dim))
    pairs = [
        [(SineByHand(a[:4], b[:4]), SineByHand(a[4:], b[4:])) for a, b in zip(*both, strict=True)]
        for both in zip(x, y, strict=True)
    ]
    expected = by_hand(method, deviations, w, pairs, directions, 0.01, 0.1, adam)
    data = {"w": w, "x": x, "y": y, "support": 4, "directions": directions}
    losses, end = replay.sine(method, protocol=protocol, **data, alpha=0.01, beta=BETA, nu=0.1)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-9)
    np.testing.assert_allclose(end, expected[1], rtol=1e-7, atol=1e-9)


def test_maml_follows_the_gradient_of_what_it_reports(rng):
    # Under the specified protocol the meta gradient is the derivative of the mean loss; complex steps find it.
    data = arrays(rng) | {"support": rng.standard_normal((1, TASKS, D)), "target": rng.standard_normal((1, TASKS, D))}
    data["directions"] = data["directions"][0]

    def total(w):
        return sum(_adapted_loss(x, z, w) for x, z in zip(data["support"][0], data["target"][0], strict=True))

    gradient = np.array([total(data["w"] + 1e-30j * row).imag for row in np.eye(D)]) * 1e30 / TASKS
    _, end = replay.rank_one("maml", protocol="specified", **data, alpha=ALPHA, beta=BETA, nu=NU)
    np.testing.assert_allclose(end, data["w"] - BETA * gradient, rtol=1e-12)


def _adapted_loss(x, z, w):
    for _ in range(STEPS):
        w = w - ALPHA * ((w @ w) * w - (x @ w) * x)
    return ((w @ w) ** 2 - 2 * (z @ w) ** 2 + (z @ z) ** 2) / 4


def test_runs_side_by_side_are_the_runs_alone(rng):
    w, directions = rng.standard_normal((2, D)), rng.standard_normal((2, TASKS, STEPS, Q, D))
    support, target = rng.standard_normal((2, ITERATIONS, 2, TASKS, D))
    rest = {"protocol": "released", "alpha": ALPHA, "beta": BETA, "nu": NU}
    for method in METHODS:
        losses, end = replay.rank_one(method, w=w, support=support, target=target, directions=directions, **rest)
        assert losses.shape == (ITERATIONS, 2)
        for r in range(2):
            data = {"w": w[r], "support": support[:, r], "target": target[:, r], "directions": directions[r]}
            alone, last = replay.rank_one(method, **data, **rest)
            np.testing.assert_allclose(losses[:, r], alone, rtol=1e-12)
            np.testing.assert_allclose(end[r], last, rtol=1e-12)


def test_one_set_of_directions_serves_every_iteration(rng):
    data = arrays(rng)
    one = data["directions"][0]
    every = np.broadcast_to(one, data["directions"].shape)
    for protocol in ("specified", "released"):
        numbers = {"protocol": protocol, "alpha": ALPHA, "beta": BETA, "nu": NU}
        single = replay.rank_one("ggs", **data | {"directions": one}, **numbers)[1]
        repeated = replay.rank_one("ggs", **data | {"directions": every}, **numbers)[1]
        assert np.array_equal(single, repeated)


def test_a_run_that_diverges_is_a_result(rng):
    data = arrays(rng)
    for method in METHODS:
        losses, _ = replay.rank_one(method, protocol="specified", **data, alpha=50.0, beta=50.0, nu=NU)
        assert losses.shape == (ITERATIONS,)
        assert not np.isfinite(losses[-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "reptile"}, "method = 'reptile': must be one of maml, first-order, ggs, zeroth-order"),
        ({"protocol": "published"}, "protocol = 'published'"),
        ({"protocol": {"doubled-step", "typo"}}, "unknown deviation 'typo'"),
        ({"protocol": None}, "protocol = None"),
        ({"alpha": 0.0}, "alpha = 0.0"),
        ({"beta": np.nan}, "beta = nan"),
        ({"nu": -1.0}, "nu = -1.0"),
        ({"w": np.zeros(D + 1)}, "support has shape"),
        ({"w": np.zeros((2, D))}, "support has shape"),
        ({"support": np.zeros((ITERATIONS, D))}, "support has shape"),
        ({"support": np.full((ITERATIONS, TASKS, D), np.inf)}, "support contains inf"),
        ({"target": np.zeros((ITERATIONS, TASKS + 1, D))}, "target has shape"),
        ({"directions": np.zeros((TASKS, Q, D))}, "directions has shape"),
        ({"directions": np.zeros((TASKS + 1, STEPS, Q, D))}, "directions has shape"),
        ({"directions": np.zeros((TASKS, STEPS, Q, D + 1))}, "directions has shape"),
        ({"directions": np.zeros((ITERATIONS + 1, TASKS, STEPS, Q, D))}, "directions has shape"),
    ],
)
def test_bad_arguments_are_named(change, message, rng):
    arguments = arrays(rng) | {"method": "ggs", "protocol": "released", "alpha": ALPHA, "beta": BETA, "nu": NU} | change
    with pytest.raises(ValueError, match=message):
        replay.rank_one(arguments.pop("method"), **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": {"collapsed-loss"}}, "unknown deviation 'collapsed-loss'"),
        ({"w": np.zeros(1760)}, "last axis must be 1761"),
        ({"support": 5}, "support = 5: must be less than 5"),
        ({"support": 2.5}, "support = 2.5"),
        ({"y": np.zeros((1, 2, 4))}, "y has shape"),
    ],
)
def test_bad_arguments_of_sine_are_named(change, message):
    data = {"w": np.zeros(1761), "x": np.zeros((1, 2, 5)), "y": np.zeros((1, 2, 5)), "support": 3}
    rest = {"directions": np.zeros((2, 1, 1, 1761)), "protocol": "released", "alpha": 0.1, "beta": 0.1, "nu": 0.1}
    with pytest.raises(ValueError, match=message):
        replay.sine("ggs", **data | rest | change)


def test_the_studies_offer_their_replays():
    assert rank_one.replay is replay.rank_one
    assert sine.replay is replay.sine
