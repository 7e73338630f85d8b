"""Score-function estimates against exact values: their means by quadrature over the actions, without sampling."""

from itertools import product

import numpy as np
import pytest

from maml_bench.problems.navigation import LINEAR, RELU, Episodes, Navigation
from maml_bench.problems.network import ReluNetwork

GAMMA = 0.9


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def two_steps(goal=(1.5, 2.0), **options):
    """No action of the quadrature is clipped and none ends the episode, so the return is analytic."""
    return Navigation(np.array(goal), horizon=2, discount=GAMMA, clip=50.0, **{"baseline": "none"} | options)


@pytest.fixture(scope="module")
def nodes():
    """Noise (12^4, 2, 1, 2) of two steps and its weights: a tensor Gauss-Hermite rule."""
    points, weights = np.polynomial.hermite_e.hermegauss(12)
    noise = np.array(list(product(points, repeat=4))).reshape(-1, 2, 1, 2)
    return noise, np.prod(list(product(weights / weights.sum(), repeat=4)), axis=-1)


def mean_loss(w, noise, weights, goal):
    """The expected loss of the linear policy over two steps, straight from the dynamics; w may be complex."""
    matrix, shift, deviation = w[:4].reshape(2, 2), w[4:6], np.exp(w[6:])
    first = shift + deviation * noise[:, 0, 0]
    second = first + first @ matrix.T + shift + deviation * noise[:, 1, 0]
    distance = [np.sqrt(((state - goal) ** 2).sum(-1)) for state in (first, second)]
    return (1 - GAMMA) * weights @ (distance[0] + GAMMA * distance[1])


def mean_grad(w, *rest):
    return np.array([mean_loss(w + 1e-30j * row, *rest).imag for row in np.eye(8)]) * 1e30


@pytest.mark.parametrize("baseline", ["none", "given"])
def test_return_estimates_are_unbiased(baseline, nodes, rng):
    # Pathwise derivatives of the expectation are the second derivation: they know no score function.
    noise, weights = nodes
    tasks = two_steps()
    w, v = np.array([0.2, -0.1, 0.3, 0.1, 0.1, 0.2, np.log(0.2), np.log(0.3)]), rng.standard_normal(8)
    episodes = Episodes(tasks, w, noise)
    if baseline == "given":  # any function of state and time, here one that fits badly
        state = episodes.inputs.reshape(-1, 2, 1, 2)
        episodes.baseline = np.sin(3 * state[..., 0]) + state[..., 1] ** 2 - np.array([[2.0], [1.0]])
    exact = tasks.goals
    assert weights @ tasks.loss(w, episodes) == pytest.approx(mean_loss(w, noise, weights, exact), rel=1e-12)
    np.testing.assert_allclose(
        weights @ tasks.grad(w, episodes), mean_grad(w, noise, weights, exact), rtol=1e-6, atol=1e-8
    )
    h = 1e-4
    change = mean_grad(w + h * v, noise, weights, exact) - mean_grad(w - h * v, noise, weights, exact)
    np.testing.assert_allclose(weights @ tasks.hvp(w, v, episodes), change / (2 * h), rtol=1e-5, atol=1e-6)


def test_episodes_of_one_parameter_serve_another_without_bias(nodes):
    noise, weights = nodes
    tasks, w = two_steps(), np.array([0.2, -0.1, 0.3, 0.1, 0.1, 0.2, np.log(0.2), np.log(0.3)])
    other = w + 0.01 * np.array([1, -1, 1, 2, 3, -2, 1, -1])
    episodes = Episodes(tasks, w, noise)
    assert weights @ tasks.loss(other, episodes) == pytest.approx(
        mean_loss(other, noise, weights, tasks.goals), rel=1e-8
    )
    expected = mean_grad(other, noise, weights, tasks.goals)
    np.testing.assert_allclose(weights @ tasks.grad(other, episodes), expected, rtol=1e-6, atol=1e-8)


def test_clipped_actions_by_integration_piece_by_piece():
    # One step; the expected loss is an integral over two actions, smooth between the kinks at +-0.1.
    tasks = Navigation(np.array([0.3, -0.2]), horizon=1, discount=GAMMA, baseline="none")
    w = np.concatenate([np.zeros(4), [0.05, -0.02], np.log([0.15, 0.1])])
    x, weight = np.polynomial.legendre.leggauss(20)

    def axis(mean, deviation):
        ends = np.array([mean - 9 * deviation, -0.1, 0.1, mean + 9 * deviation])
        half, middle = np.diff(ends) / 2, (ends[1:] + ends[:-1]) / 2
        return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * weight).ravel()

    (a, p), (b, q) = axis(0.05, 0.15), axis(-0.02, 0.1)
    actions, mass = np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2), np.outer(p, q).ravel()
    distance = np.linalg.norm(np.clip(actions, -0.1, 0.1) - tasks.goals, axis=-1)

    def density(w):
        z = (actions - w[4:6]) / np.exp(w[6:])
        return np.exp(-(z**2).sum(-1) / 2 - w[6:].sum()) / (2 * np.pi)

    def expected(w):
        return (1 - GAMMA) * (mass * density(w)) @ distance

    noise = ((actions - w[4:6]) / np.exp(w[6:])).reshape(-1, 1, 1, 2)
    episodes, weights = Episodes(tasks, w, noise), mass * density(w)
    gradient = np.array([expected(w + 1e-30j * row).imag for row in np.eye(8)]) * 1e30
    assert weights @ tasks.loss(w, episodes) == pytest.approx(expected(w), rel=1e-12)
    np.testing.assert_allclose(weights @ tasks.grad(w, episodes), gradient, rtol=1e-10, atol=1e-13)
    assert np.abs(gradient[4:]).min() > 1e-4 and not gradient[:4].any()


@pytest.mark.parametrize("policy", [LINEAR, ReluNetwork((2, 5, 2))], ids=["linear", "relu"])
@pytest.mark.parametrize("objective", ["return", "surrogate"])
@pytest.mark.parametrize("own", [True, False])
def test_loss_gradient_and_product_are_derivatives_of_one_estimate(policy, objective, own, rng):
    tasks = Navigation.random(3, 0, policy=policy, objective=objective, horizon=9, radius=0.1)
    w = 0.3 * rng.standard_normal((2, 1, tasks.dim))
    episodes = tasks.sample(rng, w, 6)
    assert not episodes.alive.all()
    point, v, h = w if own else w + 0.02 * rng.standard_normal(w.shape), rng.standard_normal(w.shape), 1e-6
    slope = (tasks.loss(point + h * v, episodes) - tasks.loss(point - h * v, episodes)) / (2 * h)
    np.testing.assert_allclose(np.vecdot(tasks.grad(point, episodes), v), slope, rtol=1e-6, atol=1e-7)
    change = (tasks.grad(point + h * v, episodes) - tasks.grad(point - h * v, episodes)) / (2 * h)
    np.testing.assert_allclose(tasks.hvp(point, v, episodes), change, rtol=1e-5, atol=1e-6)


def test_surrogate_is_zero_where_the_episodes_were_drawn(rng):
    # What the released zeroth-order branch differences: it vanishes whatever the policy and the goals.
    for scale in (0.1, 1.0):
        tasks = Navigation.random(4, 1, objective="surrogate")
        w = scale * rng.standard_normal(tasks.dim)
        np.testing.assert_allclose(tasks.loss(w, tasks.sample(rng, w, 5)), 0, atol=1e-15)


def test_surrogate_has_no_products_of_scores_of_different_steps(rng):
    # Summed outer products of single steps, with advantages of mean 0 and variance 1.
    tasks = Navigation.random(1, 2, objective="surrogate", horizon=3)
    w, v = 0.2 * rng.standard_normal((2, tasks.dim))
    episodes = tasks.sample(rng, w, 4)
    advantage = (episodes.to_come - episodes.baseline)[0].ravel()
    advantage = (advantage - advantage.mean()) / advantage.std()
    deviation, total = np.exp(w[6:]), np.zeros(8)
    for state, action, weight in zip(episodes.inputs[0], episodes.actions[0], advantage, strict=True):
        jacobian = np.zeros((2, 8))
        for i in range(2):
            jacobian[i, 2 * i : 2 * i + 2], jacobian[i, 4 + i] = state, 1
        z = (action - jacobian[:, :6] @ w[:6]) / deviation
        spread = np.eye(8)[6:]
        score = (z / deviation) @ jacobian + (z**2 - 1) @ spread
        curve = -jacobian.T @ np.diag(deviation**-2) @ jacobian - 2 * spread.T @ np.diag(z**2) @ spread
        mixed = jacobian.T @ np.diag(-2 * z / deviation) @ spread
        total -= weight / 12 * ((curve + mixed + mixed.T) @ v + score * (score @ v))
    np.testing.assert_allclose(tasks.hvp(w, v, episodes)[0], total, rtol=1e-10, atol=1e-12)


def test_an_episode_in_numbers():
    # Mean action (0.06, 0), no noise: steps 0.06, 0.12 (goal at 0.125, within 0.01), then still and without reward.
    tasks = Navigation(np.array([0.125, 0.0]), horizon=4, discount=0.5)
    w = np.array([0, 0, 0, 0, 0.06, 0, 0, 0])
    episodes = Episodes(tasks, w, np.zeros((4, 1, 2)))
    np.testing.assert_allclose(episodes.rewards[:, 0], [-0.065, -0.005, 0, 0], atol=1e-15)
    assert episodes.alive[:, 0].tolist() == [True, True, False, False]
    np.testing.assert_allclose(episodes.inputs, [[0, 0], [0.06, 0], [0.12, 0], [0.12, 0]])
    assert tasks.loss(w, episodes) == pytest.approx(0.5 * (0.065 + 0.5 * 0.005))
    assert episodes.total == pytest.approx(-0.07)
    # Without the noise the mean is clipped at 0.1 whatever its size.
    far = Episodes(tasks, w * 5, np.zeros((4, 1, 2)))
    np.testing.assert_allclose(far.inputs, [[0, 0], [0.1, 0], [0.2, 0], [0.3, 0]])


def test_the_baseline_is_a_ridge_regression_on_the_steps_taken(rng):
    tasks = Navigation.random(2, 3, horizon=12, radius=0.1)
    episodes = tasks.sample(rng, 0.3 * rng.standard_normal(8), 30)
    for i in range(2):
        alive = episodes.alive[i].ravel()
        state, time = episodes.inputs[i][alive], np.repeat(np.arange(12) / 100, 30)[alive]
        design = np.column_stack([state, state**2, time, time**2, time**3, np.ones(len(time))])
        padded = np.vstack([design, np.sqrt(1e-5) * np.eye(8)])
        weights = np.linalg.lstsq(padded, np.append(episodes.to_come[i].ravel()[alive], np.zeros(8)), rcond=None)[0]
        np.testing.assert_allclose(episodes.baseline[i].ravel()[alive], design @ weights, rtol=1e-6, atol=1e-9)
        assert not episodes.baseline[i].ravel()[~alive].any()


def test_every_batch_axis_is_the_same_as_a_loop(rng):
    tasks = Navigation.random(3, 0, policy=ReluNetwork((2, 4, 2)), horizon=5)
    w, v = rng.standard_normal((2, 2, 1, tasks.dim))
    episodes = tasks.sample(rng, w, 4)
    together = tasks.loss(w, episodes), tasks.grad(w, episodes), tasks.hvp(w, v, episodes)
    for r, i in np.ndindex(2, 3):
        alone = Episodes(tasks[i], w[r, 0], episodes.noise[r, i])
        values = (tasks[i].loss(w[r, 0], alone), tasks[i].grad(w[r, 0], alone), tasks[i].hvp(w[r, 0], v[r, 0], alone))
        for a, b in zip(together, values, strict=True):
            np.testing.assert_allclose(a[r, i], b, rtol=1e-9, atol=1e-10)


def test_mirrored_episodes_and_the_released_network(rng):
    tasks = Navigation.random(2, 0, policy=RELU, horizon=3)
    w = tasks.initial(rng)
    assert tasks.dim == w.size == 10604 and not w[-2:].any()
    episodes = tasks.sample(rng, w, 2)
    mirrored = -episodes
    np.testing.assert_array_equal((-mirrored).actions, episodes.actions)
    np.testing.assert_array_equal(mirrored.actions[:, :2], -episodes.actions[:, :2])  # biases 0: the mean at 0 is 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goals": np.zeros((2, 3))}, "goals has shape"),
        ({"goals": [np.nan, 0]}, "goals contains nan"),
        ({"policy": ReluNetwork((2, 3))}, "policy = "),
        ({"objective": "reward"}, "objective = 'reward'"),
        ({"baseline": None}, "baseline = None"),
        ({"horizon": 0}, "horizon = 0"),
        ({"discount": 1.0}, "discount = 1.0"),
        ({"clip": 0.0}, "clip = 0.0"),
        ({"radius": -1}, "radius = -1"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Navigation(**{"goals": np.zeros(2)} | change)
