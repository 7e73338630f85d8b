"""The constants of a bound, read off a setting.

Tasks are a finite set, so that means over tasks are exact. Gradients are population gradients;
with a support and a target loss, ``task_grad_norm`` and ``task_grad_rms`` are those of the target.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from maml_bench.capabilities import deviation
from maml_bench.exact import meta_gradients, task_grad_norms
from maml_bench.setting import Setting, single


def _deviation(setting: Setting) -> Any:
    return deviation(setting.hessian, single(setting), setting.inner.D)


_READ: dict[str, Callable[[Setting], object]] = {
    "setting": lambda setting: setting,
    "dim": lambda setting: setting.tasks.dim,
    **{name: attrgetter(f"inner.{name}") for name in ("alpha", "steps", "S", "D", "T")},
    **{name: attrgetter(f"tasks.regularity.{name}") for name in ("L", "rho", "tau", "sigma", "sigma_g", "sigma_H")},
    **{name: attrgetter(f"hessian.{name}") for name in ("directions", "nu", "delta")},
    "hessian_bias": lambda setting: _deviation(setting)[0],
    "hessian_variance": lambda setting: _deviation(setting)[1],
    **{name: attrgetter(f"tasks.{name}") for name in ("b", "b_tilde")},
    "grad_norm": lambda setting: np.linalg.norm(meta_gradients(setting).mean(0)),
    "task_grad_norm": lambda setting: task_grad_norms(setting).mean(),
    "task_grad_rms": lambda setting: np.sqrt(np.mean(task_grad_norms(setting) ** 2)),
}

_EACH_TASK = {"task_grad_norm": task_grad_norms, "task_grad_rms": task_grad_norms}


def constants(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """Values of the named constants; only what is asked for is computed."""
    return {name: _READ[name](setting) for name in names}


def constants_of_each_task(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """As `constants`, with the gradient of each task in place of means over tasks: arrays (tasks,)."""
    return {name: (_EACH_TASK.get(name) or _READ[name])(setting) for name in names}
