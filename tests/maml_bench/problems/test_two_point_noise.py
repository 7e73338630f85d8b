"""Two-point noise: certified at every point, mirrored draws of one law, samples that agree with the enumeration."""

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.problems import Quadratic, Trigonometric, TwoPoint
from maml_bench.problems.noise import Mirrored

NOISE = TwoPoint(0.7, skew=1.5, tilt=0.8, direction=(0.6, 0.8))


def test_the_certificate_is_attained_and_an_underclaim_found():
    tasks = Trigonometric.random(2, 2, 0).with_noise(NOISE)
    found = audit(tasks)
    assert found.passed and found["sigma_g"].ratio > 0.95

    class Under(TwoPoint):
        def draw_at(self, rng, w, size):
            return TwoPoint(1.1 * self.sigma_g, self.skew).draw_at(rng, w, size)

    found = audit(tasks.population.with_noise(Under(0.7)))
    assert {row.name for row in found.violations} == {"sigma_g", "largest noise"}


@pytest.mark.by_chance(1e-6)
@pytest.mark.parametrize("source", [lambda t: t, Mirrored])
def test_draws_and_their_mirror_images_have_the_law(source):
    """Both have mean 0 and mean square sigma_g^2 / size; limits of 5 standard errors, one seed in a million fails."""
    tasks, w = Trigonometric.random(2, 1, 0).with_noise(NOISE)[0], np.broadcast_to([0.5, -1.0], (200_000, 2))
    error = tasks.grad(w, source(tasks).sample(np.random.default_rng(1), w, 3)) - tasks.grad(w)
    along = error @ [0.6, 0.8]
    np.testing.assert_allclose(error @ [0.8, -0.6], 0, atol=1e-12)
    spread = along.std() / np.sqrt(len(w))
    assert abs(along.mean()) < 5 * spread
    assert abs((along**2).mean() - 0.49 / 3) < 5 * (along**2).std() / np.sqrt(len(w))
    values, counts = np.unique(np.round(along, 9), return_counts=True)
    assert len(values) == 4 and counts.min() > 0


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("claim", ["prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4"])
def test_sampling_agrees_with_enumeration(claim):
    """A limit at 1e-5 misses the exact value for one seed in 1e5."""
    tasks = Trigonometric.random(2, 2, 0).with_noise(NOISE)
    setting = Setting(tasks, np.ones(2), InnerLoop(0.3, 3, S=2, T=2))
    form = "local" if claim in ("prop3", "prop4") else "sharp"
    options = {"form": form, "confidence": 0.99999, "budget": 40_000, "precision": 0}
    exact, sampled = (check(claim, setting, method=method, **options) for method in ("exact", "monte-carlo"))
    assert sampled.lower <= exact.value <= sampled.upper


def test_enumeration_and_the_recursion_of_a_quadratic_agree():
    A, b = np.diag([1.0, -0.5]), np.array([0.3, -0.2])
    tasks = Quadratic(A[None], b[None]).with_noise(TwoPoint(0.7, 0.4, direction=(0.0, 1.0)))
    setting = Setting(tasks, np.ones(2), InnerLoop(0.2, 3, S=2))
    by_hand = 0.2**2 * 0.7**2 / 2 * sum(1.1 ** (2 * j) for j in range(3))
    assert check("prop2-second", setting).value == pytest.approx(by_hand, rel=1e-13)
    assert check("prop2-mean", setting).value == pytest.approx(0, abs=1e-15)


def test_bad_input_is_refused():
    for make, message in (
        (lambda: TwoPoint(-1), "sigma_g = -1"),
        (lambda: TwoPoint(1, np.inf), "skew"),
        (lambda: TwoPoint(1, direction=(1.0, 1.0)), "direction has length"),
        (lambda: TwoPoint(1, direction=(1.0,)).along(2), "direction has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
