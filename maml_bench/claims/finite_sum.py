"""Propositions 1 and 4 in the finite-sum case: tasks with a support and a target loss, all means over tasks exact."""

import numpy as np

from maml_bench.claims import smoothness
from maml_bench.claims.claim import Measurement, claims_of
from maml_bench.claims.requirements import exact_hessian, exact_path_in_ball, first_reason, two_losses
from maml_bench.exact import meta_gradients
from maml_bench.setting import Setting


def square(setting: Setting) -> np.ndarray:
    """E_i ||grad calL_i(w)||^2, one cell."""
    return np.mean(np.sum(meta_gradients(setting) ** 2, axis=-1), keepdims=True)


MEASUREMENTS = {
    "finite-prop1": smoothness.measurement(two_losses),
    "finite-prop4": Measurement(
        words="E_i ||grad calL_i(w)||^2",
        requires=first_reason(two_losses, exact_hessian, exact_path_in_ball),
        exact=square,
    ),
}

CLAIMS = tuple(claim for name, measurement in MEASUREMENTS.items() for claim in claims_of(name, measurement))
