"""Rows of an audit by hand: what is found is what the witness shows, an allowance excuses no more than it says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from maml_bench.auditing import audit, derivatives
from maml_bench.auditing.lipschitz import length_scale
from maml_bench.auditing.result import Audit, judged, skipped
from maml_bench.problems import AdditiveGaussian, Logistic, Quadratic, RandomPhase, RankOne, Trigonometric

HONEST = Trigonometric.random(3, 2, 0).with_noise(RandomPhase(0.5, 1.0))
QUADRATIC = Quadratic(np.stack([np.diag([2.0, -1.0]), np.diag([0.5, 1.0])]), np.array([[1.0, 0.0], [0.0, -3.0]]))


def test_an_outcome_follows_from_its_numbers():
    assert judged("x", "", 2.0, 1.0).outcome == "holds" and judged("x", "", 2.0, 1.0).ratio == 0.5
    assert (
        judged("x", "", 1.0, 1 + 0.9e-7).outcome == "holds" and judged("x", "", 1.0, 1 + 1.1e-7).outcome == "violated"
    )
    assert judged("x", "", 1.0, 3.0, lower=0.9).outcome == "holds"  # nothing is certain but what is below the limit
    assert judged("x", "", 1.0, 1.2, allowance=0.2).outcome == "holds"
    assert judged("x", "", 1.0, 1.3, allowance=0.2).outcome == "violated"
    nothing, little = judged("x", "", 0.0, 1e-12, allowance=1e-12), judged("x", "", 0.0, 2e-12, allowance=1e-12)
    assert (nothing.found, nothing.lower, nothing.ratio, nothing.outcome) == (0.0, 0.0, 0.0, "holds")
    assert (little.found, little.ratio, little.outcome) == (2e-12, np.inf, "violated")
    assert skipped("x", "why", 3.0).outcome == "not checked" and judged("x", "", 1.0, np.nan).outcome == "violated"


def test_an_audit_in_words():
    constants = {"L": 1.0, "rho": 0.0, "tau": np.inf, "sigma": 0.0, "sigma_g": 2.0, "sigma_H": 0.0, "radius": 3.0}
    rows = (judged("L", "a quotient", 1.0, 0.5), judged("sigma_g", "noise", 2.0, 3.0), skipped("tau", "unknown"))
    found = Audit("Quadratic", rows, constants, 7, 1e-3, 1.25)
    assert str(found).splitlines()[:6] == [
        "Quadratic: VIOLATED (seed 7)",
        "constants are claimed, and were attacked, for ||w|| <= 3",
        "name                    claimed        found    ratio  outcome      checked",
        "L                             1          0.5   0.5000  holds        a quotient",
        "sigma_g                       2            3   1.5000  violated     noise",
        "tau                         nan          nan      nan  not checked  unknown",
    ]
    reach = dict(line.split(": ") for line in str(found).splitlines()[6:])
    assert ", prop1, " in reach["applies"] and "prop6 (paper, sharp, refined), " in reach["applies"]
    assert "prop6 (smooth)" in reach["does not apply, no finite tau is known"]
    assert "prop2-mean, prop3 (paper, sharp, local, " in reach["does not apply, sigma_g is refuted"]
    assert reach["does not apply, speaks of support and target losses"].startswith("finite-lemma-a, finite-prop1, ")
    assert repr(found) == "Audit(Quadratic: 3 checks, sigma_g)" and not found.passed
    assert found["sigma_g"] is rows[1] and found.violations == rows[1:2]
    with pytest.raises(KeyError, match="no row 'rho'; rows: L, sigma_g, tau"):
        found["rho"]
    plain = Audit("Quadratic", rows[:1], constants | {"radius": np.inf}, 0, 1e-3, 1.0)
    assert plain.passed and repr(plain) == "Audit(Quadratic: 1 checks, no violation)"
    assert str(plain).splitlines()[:2] == [
        "Quadratic: no violation found (seed 0)",
        "name                    claimed        found    ratio  outcome      checked",
    ]


def test_every_row_says_what_was_compared():
    one = Quadratic(np.eye(2), np.ones((1, 2)))
    rows = audit(one.with_noise(AdditiveGaussian(0.5)), points=16, draws=64).rows
    assert {row.name: row.checked for row in rows if row.name != "unbiased"} == {
        "finite": "share of values that are not finite",
        "gradient": "against differences of the loss, relative error",
        "hvp": "against differences of the gradient, relative error",
        "hessian": "against Hessian-vector products and its transpose, with and without a sample, relative error",
        "indexing": "all tasks and points at once against one alone, relative difference",
        "L": "distance of gradients over distance of points",
        "rho": "distance of Hessians over distance of points",
        "tau": "second difference of Hessians over squared distance",
        "sigma": "root mean square distance of task gradients from their mean",
        "sigma_g": "root mean square error of a one-sample gradient (and of 4 samples, scaled)",
        "sigma_H": "root mean square error of a one-sample Hessian (and of 4 samples, scaled)",
        "bowl": "distance of gradients from those of the bowl",
        "bend": "distance of Hessians from the bowl's, along unit vectors",
        "affine gradient": "second differences of the gradient, relative",
        "infimum": "how far below it a loss is, after 200 steps of descent",
        "mirrored": "law of noise against that of its mirror image, in standard errors",
        "odd": "gradient noise of a sample and of its mirror image, their sum, relative",
        "additive": "gradient noise at two points, its change, and Hessian noise, relative",
        "isotropic": "covariance of gradient noise less that stated, in standard errors",
        "gaussian": "largest distance of the law of noise from the normal one, times the root of the draws",
        "largest Hessian noise": "distance of a one-sample Hessian from the mean, spectral norm",
    }
    (unbiased,) = [row for row in rows if row.name == "unbiased"]
    assert unbiased.checked.startswith("largest mean error in standard errors (size-3 batches); worst: ")


def test_constants_that_a_quadratic_attains_are_found():
    """L = 2; the gradients are A_i w - b_i, so that sigma grows without end; noise is 0.5 in every direction."""
    found = audit(QUADRATIC.with_noise(AdditiveGaussian(0.5)), draws=20_000)
    assert found["L"].ratio == pytest.approx(1, abs=1e-6) and found["L"].claimed == 2
    assert found["sigma"].outcome == "not checked"
    # The root of the mean of 20 000 squares has a relative error of 0.5 %, an eighth of what is allowed.
    assert found["sigma_g"].found == pytest.approx(0.5, rel=0.04) and found["sigma_g"].claimed == 0.5
    assert found["sigma_g"].lower < 0.5
    same = Quadratic(np.broadcast_to(np.eye(2), (2, 2, 2)), np.array([[1.0, 0.0], [0.0, -3.0]]))
    assert audit(same)["sigma"].found == pytest.approx(np.sqrt(10) / 2)


@pytest.mark.parametrize("tasks", [HONEST, RankOne.random(3, 2, 1)], ids=["everywhere", "ball"])
def test_a_witness_shows_what_was_found(tasks):
    found = audit(tasks, draws=4000)
    for name in ("L", "rho", "tau"):
        row = found[name]
        w, e = (np.array(row.witness[key]) for key in ("w", "direction"))
        h, task = row.witness["distance"], tasks[row.witness["task"]]
        assert np.linalg.norm(e) == pytest.approx(1)
        if name == "L":
            value = np.linalg.norm(task.grad(w + h / 2 * e) - task.grad(w - h / 2 * e)) / h
        elif name == "rho":
            value = np.linalg.norm((task.hess(w + h / 2 * e) - task.hess(w - h / 2 * e)) @ e) / h
        else:
            value = np.linalg.norm((task.hess(w + h * e) - 2 * task.hess(w) + task.hess(w - h * e)) @ e) / h**2
        assert row.found == pytest.approx(value, rel=1e-4) and 0.5 < row.ratio <= 1 + 1e-6
        assert row.claimed == getattr(tasks.regularity, name)
    w = np.array(found["sigma"].witness["w"])
    gradients = tasks.grad(np.broadcast_to(w, (2, 3)))
    assert found["sigma"].found == pytest.approx(np.linalg.norm(gradients[0] - gradients[1]) / 2)
    if tasks.sample(np.random.default_rng(0), w, 1) is None:
        return
    for name, derivative in (("sigma_g", "grad"), ("sigma_H", "hess")):
        witness, rng = found[name].witness, np.random.default_rng(9)
        task, points = tasks[witness["task"]], np.broadcast_to(witness["w"], (20_000, 3))
        gap = getattr(task, derivative)(points, task.sample(rng, points, witness["size"]))
        gap = gap - getattr(task, derivative)(points[0])
        norms = np.linalg.norm(gap, axis=-1) if name == "sigma_g" else np.linalg.norm(gap, 2, axis=(-2, -1))
        value = np.sqrt(witness["size"] * np.mean(norms**2))
        # Roots of means of 20 000 and of 4000 squares: within 1 % and 2 % of the truth, so 0.1 is five deviations.
        assert found[name].found == pytest.approx(value, rel=0.1) and found[name].lower < value


def test_the_witness_of_a_distance_shows_it():
    pairs = Logistic.random(dim=3, tasks=3, rng=0)
    row = audit(pairs, points=64)["b_i"]
    task = pairs[row.witness["task"]]
    w = np.array(row.witness["w"])
    distance = np.linalg.norm(task.support.grad(w) - task.target.grad(w))
    assert (row.claimed, row.found) == (1.0, pytest.approx(distance / task.b_i))


@dataclass(frozen=True, eq=False)
class Bent:
    """Tasks whose gradient, product or matrix is off by a share, within a distance of 0 or everywhere."""

    tasks: object
    share: float
    what: str = "grad"
    near: float = np.inf

    dim = property(lambda self: self.tasks.dim)
    batch_shape = property(lambda self: self.tasks.batch_shape)
    regularity = property(lambda self: self.tasks.regularity)

    def __getitem__(self, index):
        return replace(self, tasks=self.tasks[index])

    def sample(self, rng, w, size):
        return None

    def factor(self, what, w):
        here = (np.linalg.norm(w, axis=-1) < self.near) & (what == self.what)
        return 1 + self.share * here

    def loss(self, w, sample=None):
        return self.tasks.loss(w) * self.factor("loss", w)

    def grad(self, w, sample=None):
        return self.tasks.grad(w) * self.factor("grad", w)[..., None]

    def hvp(self, w, v, sample=None):
        return self.tasks.hvp(w, v) * self.factor("hvp", w)[..., None]

    def hess(self, w, sample=None):
        return self.tasks.hess(w) * self.factor("hess", w)[..., None, None]


def failed(tasks):
    return {row.name for row in derivatives.check(tasks, np.random.default_rng(0)) if row.outcome == "violated"}


@pytest.mark.parametrize(
    ("what", "rows"), [("grad", {"gradient", "hvp"}), ("hvp", {"hvp", "hessian"}), ("hess", {"hessian"})]
)
def test_derivatives_are_compared_to_a_millionth(what, rows):
    tasks = Trigonometric.random(3, 2, 0)
    assert not failed(Bent(tasks, 1e-8, what))
    assert failed(Bent(tasks, 1e-4, what)) == rows


def test_matrices_are_compared_where_they_are_small():
    for dim, rows in ((derivatives.LARGEST_HESSIAN, {"hessian"}), (derivatives.LARGEST_HESSIAN + 1, set())):
        assert failed(Bent(Trigonometric.random(dim, 1, 0), 1e-3, "hess")) == rows


def test_a_fault_that_only_the_neighbourhood_of_0_has_is_found():
    """A point much nearer to 0 than the certificate's length is among those that derivatives are compared at."""
    tasks = Quadratic(np.eye(2), np.array([[1.0, 2.0]]))
    assert failed(Bent(tasks, 0.1, "hvp", near=0.1 * length_scale(tasks.regularity))) == {"hvp", "hessian"}


def test_a_value_that_is_not_finite_is_found():
    @dataclass(frozen=True, eq=False)
    class Holes(Bent):
        def loss(self, w, sample=None):
            return np.where(w[..., 0] > 1, np.nan, super().loss(w))

    row, *_ = derivatives.check(Holes(Trigonometric.random(3, 2, 0), 0.0), np.random.default_rng(0))
    assert row.name == "finite" and row.outcome == "violated" and 0 < row.found < 1 / 2


def test_tasks_that_index_others_are_found():
    @dataclass(frozen=True, eq=False)
    class Shuffled(Bent):
        def __getitem__(self, index):
            return replace(self, tasks=self.tasks[(1 - index[0],) if isinstance(index, tuple) else index])

    assert "indexing" in failed(Shuffled(Trigonometric.random(3, 2, 0), 0.0))
