"""The examples in docstrings print what they say."""

import doctest
import importlib

import pytest

MODULES = ("maml_bench.claims.own", "maml_bench.measuring")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
