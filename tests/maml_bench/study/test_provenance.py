import importlib.util

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting
from maml_bench.digest import content_digest
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric
from maml_bench.study import provenance
from maml_bench.study.provenance import code_digest


def setting(**changes):
    tasks = Quadratic.random(2, 2, 0).with_noise(AdditiveGaussian(changes.pop("sigma_g", 1.0)))
    return Setting(tasks, changes.pop("w", np.ones(2)), InnerLoop(**{"alpha": 0.1, "steps": 2, **changes}))


def test_equal_contents_have_equal_digests():
    assert content_digest(setting()) == content_digest(setting())


@pytest.mark.parametrize("change", [{"sigma_g": 2.0}, {"w": np.zeros(2)}, {"alpha": 0.2}, {"S": 2}])
def test_any_change_of_contents_shows(change):
    assert content_digest(setting(**change)) != content_digest(setting())


def test_what_cannot_be_digested_is_an_error():
    with pytest.raises(TypeError, match="cannot digest a function"):
        content_digest(lambda: None)
    assert content_digest(Trigonometric.random(2, 1, 0)) != content_digest(Trigonometric.random(2, 1, 1))


def test_code_digest_follows_imports_and_only_those(monkeypatch):
    digest = code_digest.__wrapped__
    original = provenance._imports

    def edited(name):
        def imports(module):
            source, found = original(module)
            return (source + b"#edited" if module == name else source), found

        return imports

    module = "maml_bench.claims.inner_path"
    before = digest(module)
    for used in (module, "maml_bench.adaptation", "analytic.moments.quadratic", "maml_bench.setting"):
        monkeypatch.setattr(provenance, "_imports", edited(used))
        assert digest(module) != before, used
    for unused in ("maml_bench.cli.commands", "maml_bench.study.site", "maml_bench.cli.terminal"):
        monkeypatch.setattr(provenance, "_imports", edited(unused))
        assert digest(module) == before, unused


def test_comments_docstrings_and_layout_do_not_count_and_code_does(tmp_path, monkeypatch):
    def digest(source):
        (tmp_path / "part.py").write_text(source)
        spec = importlib.util.spec_from_file_location("maml_bench.part", tmp_path / "part.py")
        monkeypatch.setattr(provenance.importlib.util, "find_spec", lambda name: spec)
        provenance._imports.cache_clear()
        return provenance.code_digest.__wrapped__("maml_bench.part")

    plain = digest("def f(x):\n    return x\n")
    assert digest('"""A module."""\n\n\ndef f(x):\n    """Nothing."""\n    return x  # as it is\n') == plain
    assert digest("def f(x):\n    return -x\n") != plain
    provenance._imports.cache_clear()
