"""Equal contents, equal digest; and a user's file is part of what it defines."""

import importlib.util
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, digest
from maml_bench.digest import code_digest, content_digest
from maml_bench.problems import Quadratic


def test_equal_contents_have_equal_digests_and_others_have_others():
    first, same = (Setting(Quadratic.random(dim=3, tasks=2, rng=0), np.ones(3), InnerLoop(0.1, 2)) for _ in range(2))
    assert content_digest(first) == content_digest(same)
    others = [
        Setting(first.tasks, np.ones(3), InnerLoop(0.1, 3)),
        Setting(first.tasks, 2 * np.ones(3), InnerLoop(0.1, 2)),
        Setting(Quadratic.random(dim=3, tasks=2, rng=1), np.ones(3), InnerLoop(0.1, 2)),
    ]
    assert len({content_digest(x) for x in (first, *others)}) == 4
    assert content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(TypeError, match="cannot digest a object"):
        content_digest(object())
    assert content_digest(closure(1)) != content_digest(closure(2))


def closure(x):
    return lambda: x


def load(path, text, name="users_own"):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_users_code_counts_but_not_its_comments(tmp_path):
    text = "from dataclasses import dataclass\n\n@dataclass\nclass Mine:\n    '''Words.'''\n    x: int\n"
    text += "\n    def f(self):\n        return 1\n"
    digests = []
    for name, source in {
        "a": text,
        "b": text.replace("Words", "Other words"),
        "c": text.replace("return 1", "return 2"),
    }.items():
        digests.append(content_digest(load(tmp_path / f"{name}.py", source).Mine(1)))
    assert digests[0] == digests[1] != digests[2]
    again = load(tmp_path / "a.py", text, "imported_under_another_name")
    assert content_digest(again.Mine(1)) == digests[0]
    assert content_digest(again.Mine.f) == content_digest(load(tmp_path / "a.py", text).Mine.f)


@dataclass
class Here:
    x: int


def test_the_code_that_measures_counts_and_what_only_tells_does_not(tmp_path, monkeypatch):
    root = tmp_path / "maml_bench"
    for folder in ("claims", "study", "cli"):
        (root / folder).mkdir(parents=True)
        (root / folder / "x.py").write_text("a = 1\n")
    monkeypatch.setattr(digest, "ROOT", root)

    def now():
        code_digest.cache_clear()
        return code_digest()

    first = now()
    (root / "study" / "x.py").write_text("a = 2\n")
    (root / "claims" / "x.py").write_text("# a comment\na = 1\n")
    assert now() == first
    (root / "claims" / "x.py").write_text("a = 2\n")
    assert now() != first
    code_digest.cache_clear()
