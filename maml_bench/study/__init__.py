"""Studies as data: a question, a sweep of cases, figures and facts, told by a template. Names load when used."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maml_bench.study.cases import curves, one_at_a_time, sweep
    from maml_bench.study.facts import (
        Fact,
        answered,
        attained,
        between,
        bracketed,
        confirmed,
        crossing,
        crossings,
        equal,
        exponent,
        minimum,
        near,
        pick,
    )
    from maml_bench.study.figures import Figure
    from maml_bench.study.findings import load
    from maml_bench.study.heatmap import HeatMap
    from maml_bench.study.run import Study

__all__ = [
    "Fact",
    "Figure",
    "HeatMap",
    "Study",
    "answered",
    "attained",
    "between",
    "bracketed",
    "confirmed",
    "crossing",
    "crossings",
    "curves",
    "equal",
    "exponent",
    "load",
    "minimum",
    "near",
    "one_at_a_time",
    "pick",
    "sweep",
]

_HOMES = dict.fromkeys(__all__, "facts") | {
    **dict.fromkeys(("curves", "one_at_a_time", "sweep"), "cases"),
    "Figure": "figures",
    "HeatMap": "heatmap",
    "load": "findings",
    "Study": "run",
}


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"maml_bench.study.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'maml_bench.study' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
