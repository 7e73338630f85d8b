"""Refutations that can be replayed: a violated claim with its setting, as arrays and a short script.

A setting is a tree of dataclasses, arrays, numbers and strings, and of objects of the user's own classes. It is written
as one ``.npz`` file: the arrays, and the tree as JSON in the entry ``setting``. Classes are looked up by their modules
when it is read back; the user's own, and a claim of the user's own, by their file, named relative to the script.
"""

import importlib
import json
import math
import os
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from analytic.arguments import shown
from maml_bench import claims
from maml_bench.claims.claim import Claim
from maml_bench.digest import content_digest, plain, users_file
from maml_bench.files import as_path, load, module
from maml_bench.setting import Setting
from maml_bench.verdict import Verdict, check

SCRIPT = '''"""{words}

Recomputed: {again}
"""

from maml_bench.counterexample import replay

print(replay(__file__{own}))
'''


def write(
    verdict: Verdict, claim: Claim, setting: Setting, folder: Path, budget: int = 1_000_000, seconds: float = math.inf
) -> Path:
    """Recompute a refutation, a sampled one with a seed of its own, within the budget and time, and write both down.

    Returns
    -------
    Path
        The script, which says what the recomputation found; the arrays stand beside it.

    Raises
    ------
    ValueError
        If the setting holds something that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from maml_bench import InnerLoop, Setting, check, claims
    >>> from maml_bench.counterexample import replay, write
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 3))
    >>> half = claims.get("prop2-second").scaled(0.5)
    >>> script = write(check(half, setting), half, setting, Path(tempfile.mkdtemp()))
    >>> str(replay(script.with_suffix(".npz")).outcome)
    'violated'
    """
    effort: dict[str, Any] = {"confidence": verdict.confidence, "budget": budget, "method": verdict.method}
    again = check(claim, setting, seed=fresh(verdict.seed), seconds=seconds, **effort)
    arrays: dict[str, np.ndarray] = {}
    about = {
        "setting": _tree(setting, arrays, folder),
        "claim": [claim.name, claim.form, claim.factor],
        "effort": {"seed": verdict.seed, **effort},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{claim.name}-{claim.form}-{content_digest((setting, claim.factor))[:8]}.py"
    np.savez(path.with_suffix(".npz"), allow_pickle=False, setting=np.array(json.dumps(about)), **arrays)
    named = _name(claim, folder)
    own = "" if named is None else f", claim={named!r}"
    path.write_text(SCRIPT.format(words=verdict, again=again, own=own), encoding="utf-8")
    return path


def _name(claim: Claim, folder: Path) -> str | None:
    """``FILE.py:object`` of a claim of the user's own, relative to the folder; None for one of the bench's, or one that
    has no name in any file.
    """
    if (claim.name, claim.form) in claims.CLAIMS:
        return None
    for loaded in list(sys.modules.values()):
        path = Path(getattr(loaded, "__file__", None) or "")
        for name, value in list(vars(loaded).items()) if path.is_file() else ():
            if isinstance(value, Claim) and replace(value, factor=claim.factor) == claim:
                return f"{_relative(path, folder)}:{name}"
    return None


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def fresh(seed: int) -> int:
    """Another seed, whose replicates have nothing to do with those of this one.

    Examples
    --------
    >>> from maml_bench.counterexample import fresh
    >>> fresh(0) == fresh(0), fresh(0) == fresh(1)
    (True, False)
    """
    return int(np.random.SeedSequence(seed, spawn_key=(2**32 - 1,)).generate_state(1)[0])


def replay(path: Path | str, claim: Claim | str | None = None) -> Verdict:
    """The verdict of a counterexample, computed anew.

    Parameters
    ----------
    path : Path or str
        The script, or the ``.npz`` file beside it.
    claim : Claim or str, optional
        A claim of one's own, or where it is: ``FILE.py:object``, the file relative to ``path``.

    Raises
    ------
    ValueError
        If the claim is not one of the bench's and none is given, or a file that is named is not there any more.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from maml_bench import check, claims
    >>> from maml_bench.counterexample import replay, write
    >>> from maml_bench.extremal import instance
    >>> setting, less = instance("prop2-second", "sharp"), claims.get("prop2-second").scaled(0.9)  # where 1 is attained
    >>> script = write(check(less, setting), less, setting, Path(tempfile.mkdtemp()))
    >>> str(replay(script).outcome)
    'violated'
    """
    path = as_path("path", path).with_suffix(".npz")
    if not os.path.isfile(path):  # a name that is too long is none, too
        raise ValueError(f"path = {shown(str(path))}: there is no such file")
    try:
        with np.load(path) as stored:
            about, arrays = json.loads(str(stored["setting"])), dict(stored)
        name, form, factor = about["claim"]
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"path = {shown(str(path))}: is no counterexample ({error})") from error
    if isinstance(claim, str):
        word = str(path.parent / claim)
        found: Claim = load(word, "claim", lambda thing: isinstance(thing, Claim), "a claim, as maml_bench.claim makes")
        claim = replace(found, factor=factor)
    elif claim is None and name not in claims.names():
        raise ValueError(f"{name} is not a claim of the bench: give replay(path, claim) the claim, or FILE.py:object")
    chosen = claims.get(name, form).scaled(factor) if claim is None else claim
    return check(chosen, _value(about["setting"], arrays, path.parent), **about["effort"])


def _tree(value, arrays, folder):
    if isinstance(value, np.ndarray):
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: _tree(getattr(value, f.name), arrays, folder) for f in fields(value) if f.init}
        return {"class": _kind(value, folder), "fields": inside}
    if isinstance(value, list | tuple):
        return {"tuple": [_tree(item, arrays, folder) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[key, _tree(item, arrays, folder)] for key, item in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if plain(value):
        state = {name: _tree(item, arrays, folder) for name, item in vars(value).items()}
        return {"class": _kind(value, folder), "state": state}
    raise ValueError(f"a {type(value).__name__} cannot be written: use dataclasses, arrays, numbers and strings")


def _kind(value, folder: Path) -> str:
    """Where the class of a value is: its module, or its file if it is the user's own."""
    path = users_file(type(value))
    return f"{type(value).__module__ if path is None else _relative(path, folder)}:{type(value).__qualname__}"


def _value(tree, arrays, folder):
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "tuple" in tree:
        return tuple(_value(item, arrays, folder) for item in tree["tuple"])
    if "dict" in tree:
        return {key: _value(item, arrays, folder) for key, item in tree["dict"]}
    where, _, name = tree["class"].rpartition(":")
    kind: Any = module(folder / where) if where.endswith(".py") else importlib.import_module(where)
    for part in name.split("."):
        kind = getattr(kind, part)
    if "fields" in tree:
        return kind(**{name: _value(item, arrays, folder) for name, item in tree["fields"].items()})
    made = kind.__new__(kind)
    vars(made).update({name: _value(item, arrays, folder) for name, item in tree["state"].items()})
    return made
