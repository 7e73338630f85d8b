"""Measured left-hand sides of the theory of multi-step MAML, beside its proved right-hand sides.

Names load when used: `import maml_bench` costs nothing, so that `maml-bench --help` need not wait for SymPy.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maml_bench import claims
    from maml_bench.adaptation import InnerLoop
    from maml_bench.algorithms.outer_loop import Run, train
    from maml_bench.auditing import audit
    from maml_bench.claims.own import claim
    from maml_bench.measuring import Measured, measure
    from maml_bench.setting import OuterLoop, Setting
    from maml_bench.verdict import Verdict, check

_HOMES = {
    "InnerLoop": "maml_bench.adaptation",
    "Measured": "maml_bench.measuring",
    "OuterLoop": "maml_bench.setting",
    "Run": "maml_bench.algorithms.outer_loop",
    "Setting": "maml_bench.setting",
    "Verdict": "maml_bench.verdict",
    "audit": "maml_bench.auditing",
    "check": "maml_bench.verdict",
    "claim": "maml_bench.claims.own",
    "measure": "maml_bench.measuring",
    "train": "maml_bench.algorithms.outer_loop",
}
"""The module of each name."""

__all__ = [
    "InnerLoop",
    "Measured",
    "OuterLoop",
    "Run",
    "Setting",
    "Verdict",
    "audit",
    "check",
    "claim",
    "claims",
    "measure",
    "train",
]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"maml_bench.{name}")
    raise AttributeError(f"module 'maml_bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
