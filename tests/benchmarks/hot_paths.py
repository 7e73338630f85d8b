"""The hot paths of the bench, each beside its floor: what no program that does the same can leave out.

A floor draws the same random numbers and takes the same special functions of the same arguments, and does nothing
else: no product with a matrix, no sum, no memory but its own. A ratio to the floor says what is left to gain. Sines and
logistic functions are those of the bench; where NumPy's and SciPy's own are in the floor, a path can be below it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy

from maml_bench import InnerLoop, Setting
from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.hessians import ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.montecarlo.sequence import block_generator
from maml_bench.problems import AdditiveGaussian, Kink, Logistic, RankOne, SineRegression, SoftmaxBandit, Trigonometric
from maml_bench.problems.circular import sine
from maml_bench.problems.logistic import falling
from maml_bench.problems.sine import NETWORK

DIM, DIRECTIONS, STEPS, TASKS, REPLICATES = 20, 10, 5, 8, 256

SETTING = Setting(
    Trigonometric.random(dim=DIM, tasks=TASKS, rng=0).with_noise(AdditiveGaussian(0.5)),
    np.ones(DIM),
    InnerLoop(0.05, STEPS),
    GaussianSmoothing(1e-2, DIRECTIONS, "population"),
)


@dataclass(frozen=True)
class HotPath:
    """A path, its floor, in words what the floor does, the floor with functions of NumPy and SciPy where the bench has
    its own, and the peers' program if that has another name.
    """

    run: Callable[[], object]
    floor: Callable[[], object]
    words: str
    librarys: Callable[[], object] | None = None
    peer: str = ""


def trigonometric(rng: np.random.Generator, replicates: int = REPLICATES) -> dict[str, HotPath]:
    """The paths of `SETTING`."""
    noisy, inner, ggs = SETTING.tasks, SETTING.inner, SETTING.hessian
    tasks, point, w = noisy.population, SETTING.w, np.ones((replicates, 1, DIM))
    angles = tasks.frequency @ point + tasks.phase + 0.01 * rng.standard_normal((replicates, TASKS, DIM))
    out, normals = np.empty_like(angles), np.empty((replicates, TASKS, DIM))
    zo = ZerothOrder(1e-2, DIRECTIONS, data="population")

    def ours():
        np.copyto(out, angles)
        sine(out)

    def numpys():
        np.sin(angles, out=out)

    def floor(draws, functions, function):
        for _ in range(draws):
            rng.standard_normal(out=normals)
        for _ in range(functions):
            function()

    def path(run, draws, functions, words):
        return HotPath(run, lambda: floor(draws, functions, ours), words, lambda: floor(draws, functions, numpys))

    Q, N = DIRECTIONS, STEPS
    smoothing = path(lambda: ggs.operator(tasks, w, 1, rng)(point), Q, Q + 1, "Q normals and Q + 1 sines a coordinate")
    return {
        "Gaussian smoothing": smoothing,
        # What peers take over this is the most that any program on the same normals and sines can gain on them.
        "its floor alone": replace(smoothing, run=smoothing.floor, librarys=None, peer="Gaussian smoothing"),
        "zeroth order": path(
            lambda: zo.operator(tasks, w, 1, rng)(point), Q, Q + 1, "Q normals and Q + 1 sines or cosines a coordinate"
        ),
        "inner path": path(lambda: stochastic_path(noisy, w, inner, rng), N, N, "N normals and N sines"),
        "meta gradient": path(
            lambda: stochastic_meta_gradient(noisy, w, inner, ExactHessian(), rng),
            N + 1,
            2 * N + 1,
            "N + 1 normals and 2N + 1 sines or cosines",
        ),
    }


def _others(rng):
    w, inner = np.full((REPLICATES, 1, DIM), 0.1), InnerLoop(0.02, STEPS)
    normals = np.empty((REPLICATES, TASKS, DIM))
    rank_one = RankOne.random(dim=DIM, tasks=TASKS, rng=0, radius=5.0).with_noise(AdditiveGaussian(0.1))
    kink = Kink.random(dim=DIM, tasks=TASKS, rng=0).with_noise(AdditiveGaussian(0.1))
    bandit = SoftmaxBandit.random(dim=DIM, tasks=TASKS, rng=0)
    pairs = Logistic.random(dim=DIM, tasks=TASKS, rng=0)
    margins, odds = np.ones((2, REPLICATES, *pairs.y.shape))
    waves, weights = SineRegression.random(rng, TASKS), NETWORK.initial(rng, (REPLICATES // 8, 1))
    width = NETWORK.widths[1]
    lead = (REPLICATES // 8, TASKS)
    hidden, back, square = (np.ones((*lead, *shape)) for shape in ((20, width), (20, width), (width, width)))

    def draw_normals():
        for _ in range(STEPS + 1):
            rng.standard_normal(out=normals)

    def draw_actions():
        spread = np.broadcast_to(w, (REPLICATES, TASKS, DIM))
        for _ in range(STEPS):
            rng.random((REPLICATES, TASKS, 1))
            np.exp(spread, out=normals)

    def logistic(functions):
        def ours():
            for _ in range(functions):
                np.copyto(odds, margins)
                falling(odds)

        return {"floor": ours, "librarys": lambda: [scipy.special.expit(margins, out=odds) for _ in range(functions)]}

    def network_products():
        for products in [(2, 1)] * (STEPS + 1) + [(6, 2)] * STEPS:  # of a gradient, of a Hessian with a vector
            for _ in range(products[0]):
                hidden @ square
            for _ in range(products[1]):
                hidden.swapaxes(-1, -2) @ back

    def gradient_of(tasks):
        return lambda: stochastic_meta_gradient(tasks, w, inner, ExactHessian(), rng)

    return {
        "rank-one": HotPath(gradient_of(rank_one), draw_normals, "N + 1 normals"),
        "kink": HotPath(gradient_of(kink), draw_normals, "N + 1 normals"),
        "bandit path": HotPath(
            lambda: stochastic_path(bandit, w, inner, rng), draw_actions, "N uniforms, and N exponentials an action"
        ),
        "logistic": HotPath(
            lambda: exact_meta_gradient(pairs.support, w, 0.02, STEPS, pairs.target),
            words="2N + 1 logistic functions a data point, by exponentials",
            **logistic(2 * STEPS + 1),
        ),
        "logistic path": HotPath(
            lambda: exact_path(pairs.support, w, 0.02, STEPS),
            words="N logistic functions a data point, by exponentials",
            **logistic(STEPS),
        ),
        "network": HotPath(
            lambda: exact_meta_gradient(waves, weights, 0.001, STEPS),
            network_products,
            "the 11N + 3 products of the hidden layers, no two factors alike (network 1-40-40-1, 32 replicates)",
        ),
    }


def hot_paths(seed: int = 0) -> dict[str, HotPath]:
    """All of them, by name, on a random stream like that of a block."""
    rng = block_generator(seed, 0)
    return trigonometric(rng) | _others(rng)
