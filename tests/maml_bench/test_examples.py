"""Every public name has a docstring with an example, and every example prints what it says. ``np`` is NumPy in all."""

import doctest
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import maml_bench
from maml_bench import hessians

ROOT = Path(maml_bench.__file__).parents[1]
ROOMS = ("analytic", "maml_bench", *(f"maml_bench.{room}" for room in ("algorithms", "claims", "extremal", "problems")))
OTHERS = (
    "maml_bench.study",
    "maml_bench.capabilities",
    "maml_bench.hessians",
    "maml_bench.power",
    "maml_bench.counterexample",
)
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for room in ("analytic", "maml_bench")
    for path in sorted((ROOT / room).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def public(room: str) -> dict:
    """Classes, functions and modules that a room offers by name."""
    module = importlib.import_module(room)
    own = [name for name, thing in vars(module).items() if name[0] != "_" and getattr(thing, "__module__", "") == room]
    found = {name: getattr(module, name) for name in getattr(module, "__all__", own)}
    kinds = (inspect.isclass, inspect.isfunction, inspect.ismodule)
    return {name: thing for name, thing in found.items() if any(kind(thing) for kind in kinds)}


@pytest.mark.parametrize("room", [*ROOMS, *OTHERS])
def test_every_public_name_has_an_example(room):
    names = public(room)
    assert names
    assert [name for name, thing in names.items() if ">>> " not in (thing.__doc__ or "")] == []


def test_the_estimators_are_among_the_public_names():
    assert {"ExactHessian", "GaussianSmoothing", "ZerothOrder"} <= public(hessians.__name__).keys()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name), extraglobs={"np": np})
    assert found.attempted > 0
    assert found.failed == 0
