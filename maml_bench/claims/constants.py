"""The constants of a bound, read off a setting.

Tasks are a finite set, so that means over tasks are exact. Gradients are population gradients;
with a support and a target loss, ``task_grad_norm`` and ``task_grad_rms`` are those of the target.
"""

from collections.abc import Callable, Iterable

import numpy as np

from analytic.bound import HypothesisError
from analytic.vocabulary import CONSTANTS
from maml_bench.capabilities import deviation
from maml_bench.claims.lowest import gap
from maml_bench.exact import meta_gradients, task_grad_norms
from maml_bench.setting import Setting, single


def _part(path: str) -> Callable[[Setting], object]:
    """What stands at the end of a path of attributes, None if there is nothing."""

    def read(setting):
        found: object = setting
        for name in path.split("."):
            found = getattr(found, name, None)
        return found

    return read


def _deviation(part: int) -> Callable[[Setting], object]:
    def read(setting):
        stated = deviation(setting.hessian, single(setting), setting.inner.D)
        return stated and stated[part]

    return read


_READ: dict[str, Callable[[Setting], object]] = {
    "setting": lambda setting: setting,
    "dim": lambda setting: setting.tasks.dim,
    **{name: _part(f"inner.{name}") for name in ("alpha", "steps", "S", "D", "T")},
    **{name: _part(f"outer.{name}") for name in ("B", "B_beta", "D_beta", "C_beta")},
    "K": _part("outer.iterations"),
    **{name: _part(f"tasks.regularity.{name}") for name in ("L", "rho", "tau", "sigma", "sigma_g", "sigma_H")},
    **{name: _part(f"hessian.{name}") for name in ("directions", "nu", "delta")},
    "hessian_bias": _deviation(0),
    "hessian_variance": _deviation(1),
    **{name: _part(f"tasks.{name}") for name in ("b", "b_tilde")},
    "gap": gap,
    "grad_norm": lambda setting: np.linalg.norm(meta_gradients(setting).mean(0)),
    "task_grad_norm": lambda setting: task_grad_norms(setting).mean(),
    "task_grad_rms": lambda setting: np.sqrt(np.mean(task_grad_norms(setting) ** 2)),
}

_EACH_TASK = {"task_grad_norm": task_grad_norms, "task_grad_rms": task_grad_norms}


def constants(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """Values of the named constants; only what is asked for is computed.

    Raises
    ------
    HypothesisError
        If the setting does not have one of them.
    """
    return {name: _present(name, _READ.get(name), setting) for name in names}


def constants_of_each_task(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """As `constants`, with the gradient of each task in place of means over tasks: arrays (tasks,)."""
    return {name: _present(name, _EACH_TASK.get(name) or _READ.get(name), setting) for name in names}


def _present(name, read, setting):
    found = read and read(setting)
    if found is None:
        raise HypothesisError(f"the bound needs {name} ({CONSTANTS[name].words}), which this setting does not have")
    return found
