"""Proposition 8: means of the zeroth-order Hessian estimator and of its products, for each task."""

import numpy as np

from analytic import statement
from maml_bench.adaptation import exact_path
from maml_bench.claims.claim import Claim, Measurement, by_cell
from maml_bench.claims.directions import (
    everywhere,
    known_mean,
    matrix,
    matrix_floats,
    residual,
    small_or_exact,
    zeroth_order,
)
from maml_bench.claims.exact_hessians import mean_norm, mean_product_norm
from maml_bench.claims.hypotheses import first_reason, single_loss
from maml_bench.claims.prop5 import rounding
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import spectral_norm_of_mean
from maml_bench.setting import Setting


def products(setting: Setting) -> Draw:
    """Replicates with the mean E prod_j (I - alpha H^(w_j)), (d, d); the directions of the factors are independent."""
    alpha = setting.inner.alpha
    path = exact_path(setting.tasks, setting.w, alpha, setting.inner.steps)[:-1]
    factors = [np.eye(setting.tasks.dim) - alpha * known_mean(setting, point) for point in path]

    def draw(rng, replicates):
        product = np.eye(setting.tasks.dim)
        for point, factor in zip(path, factors, strict=True):
            product = product @ (factor - alpha * matrix(residual(setting, point, replicates, rng)))
        return by_cell(product, 2)

    return draw


def estimates(setting: Setting) -> Draw:
    """Replicates with the mean E H^, (d, d)."""
    known = known_mean(setting, setting.w)
    return lambda rng, replicates: by_cell(known + matrix(residual(setting, setting.w, replicates, rng)), 2)


def rounding_of_mean(setting: Setting) -> float:
    """What rounding can add to ||E H^||: that of a second difference, times the size of u u' (about d)."""
    return 4 * rounding(setting) * (setting.tasks.dim + 2)


def rounding_of_product(setting: Setting) -> float:
    """What rounding can add to the norm of a product: that of each factor, times the largest that the others can be."""
    alpha, steps, dim = setting.inner.alpha, setting.inner.steps, setting.tasks.dim
    factor = 1 + alpha * setting.tasks.regularity.L * (1 + dim / 2)
    own = alpha * rounding_of_mean(setting) + 16 * np.finfo(float).eps * dim
    return own * steps * float(factor**steps)


def _measurements(stein: bool) -> dict[str, Measurement]:
    requires = first_reason(single_loss, zeroth_order(stein), everywhere, small_or_exact)
    words = "||E prod_j (I - alpha H^(w_j))|| along the exact path"
    return {
        "prop8": Measurement(
            words,
            products,
            spectral_norm_of_mean,
            mean_product_norm,
            lambda setting: 3 * matrix_floats(setting),
            requires,
            rounding_of_product,
        ),
        "prop8-mean": Measurement(
            "||E H^||", estimates, spectral_norm_of_mean, mean_norm, matrix_floats, requires, rounding_of_mean
        ),
    }


_PLAIN, _STEIN = _measurements(stein=False), _measurements(stein=True)

CLAIMS = tuple(
    Claim(name, form, bound, (_STEIN if form == "stein" else _PLAIN)[name])
    for name in _PLAIN
    for form, bound in statement(name).forms.items()
)
