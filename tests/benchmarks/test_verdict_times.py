"""Plain sampling, which the time to a verdict is set beside, measures what the claim measures."""

import numpy as np
import pytest
import verdict_times
from verdict_times import PLAIN, claim, setting, student

from maml_bench.montecarlo.sequence import block_generator


def test_students_limits_by_hand():
    size, reach = student(np.array([[1.0], [2.0], [3.0]]))
    assert size[0] == 2
    assert reach[0] == pytest.approx(6.964557 / np.sqrt(3))  # the quantile 0.99 for two degrees of freedom
    vectors = np.array([[[3.0, 4.0]], [[3.0, 4.0]]])
    assert student(vectors)[0][0] == pytest.approx(5)
    assert student(vectors)[1][0] == 0


@pytest.mark.parametrize("name", [name for name in PLAIN if claim(name).measurement.exact(setting(name)) is not None])
def test_plain_sampling_means_the_exact_value(name):
    # The reach is 2.3 standard errors; by chance it fails less often than once in a million tries.
    chosen = setting(name)
    size, reach = student(PLAIN[name](chosen, block_generator(3, 0), 20_000))
    assert np.all(np.abs(size - claim(name).measurement.exact(chosen)) <= 3 * reach)


def test_the_bench_and_plain_sampling_both_come_to_an_end():
    assert verdict_times.by_bench("prop4")[1]
    assert verdict_times.by_student("prop4")[1]
