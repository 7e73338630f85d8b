"""A table of measured values and bounds that another party computed with programs of its own, on a family of the kind.

Reported were d = 4, 8 trigonometric tasks, L = 1.46, sigma = 1.79, sigma_g = 0.5, N = 3, alpha L = 1/24, and the values
below. Not reported were rho and the gap, which the nine bounds of the first three rows determine (1.88 and 1.51, if the
step size is estimated from one task and one sample), the start, and in the last row S, B and C_beta: with S = 16 and
C_beta = 100 its bounds ask for B near 40. `Trigonometric.random` has these L, sigma and rho for about two seeds in a
thousand; for one of them a start was sought where the gap is that and descent without noise is as fast as in the first
row. So the constants agree by choice; the bounds, and the measured values under noise, by consequence.
"""

import numpy as np
import pytest

from analytic import bound
from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.claims.convergence import outer_constants
from maml_bench.problems import AdditiveGaussian, Trigonometric

TASKS = Trigonometric.random(dim=4, tasks=8, rng=1287).with_noise(AdditiveGaussian(0.5))
START = np.array([0.05, -0.25, 0.87, -2.33])
FAR = 0.8 * (2 ** (1 / 6) - 1)
ROWS = [  # K, S = T, B, C_beta, alpha L; E ||grad calL(w_zeta)||; bounds
    ((1000, 4, 10, 100, 1 / 24), 0.467, {"sharp": 1.215, "refined": 0.970, "direct": 0.626}),
    ((3000, 100, 50, 100, 1 / 24), 0.176, {"paper": 1.392, "sharp": 0.641, "refined": 0.540, "direct": 0.355}),
    ((300, 16, 100, 5, 1 / 24), 0.096, {"refined": 2.63, "direct": 0.286}),
    ((1000, 16, 40, 100, FAR), 0.611, {"sharp": 5.00, "refined": 1.84, "direct": 0.869}),
]


@pytest.mark.by_chance(4e-5)
@pytest.mark.parametrize(("row", "measured", "bounds"), ROWS, ids=lambda value: None)
def test_a_row_of_the_table(row, measured, bounds):
    K, S, B, C_beta, alpha_L = row
    inner = InnerLoop(alpha_L / TASKS.regularity.L, 3, S=S, D=4, T=S)
    setting = Setting(TASKS, START, inner, outer=OuterLoop(K, B, C_beta=C_beta, B_beta=1, D_beta=1))
    for form, value in bounds.items():
        chosen = bound("thm1", form)
        known = outer_constants(setting, chosen.arguments)
        if form != "direct":  # which knows what a single sample costs; the others took Lemma B's batches for granted
            known = {name: constant for name, constant in known.items() if name not in ("B_beta", "D_beta")}
        assert chosen(**known) == pytest.approx(value, rel=0.025 if alpha_L == FAR else 0.01), form
    # standard errors of up to 0.5 % of the mean, in the third row 0.7 %
    norms = train(setting, replicates=16 if K == 300 else 4).gradient_norm
    assert norms.mean() == pytest.approx(measured, rel=0.03)
    if K == 1000 and B == 10:
        assert np.sqrt(np.mean(norms**2)) == pytest.approx(0.569, rel=0.01)
