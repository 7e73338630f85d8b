"""Refutations that can be replayed: a violated claim with its setting, as arrays and a short script.

A setting is a tree of dataclasses, arrays, numbers and strings. It is written as one ``.npz`` file: the arrays, and the
tree as JSON in the entry ``setting``. Classes are looked up by their modules when it is read back.
"""

import importlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maml_bench import claims
from maml_bench.claims.claim import Claim
from maml_bench.digest import content_digest
from maml_bench.setting import Setting
from maml_bench.verdict import Verdict, check

SCRIPT = '''"""{words}

Recomputed: {again}
"""

from pathlib import Path

from maml_bench.counterexample import replay

print(replay(Path(__file__).with_suffix(".npz")))
'''


def write(verdict: Verdict, claim: Claim, setting: Setting, folder: Path, budget: int = 1_000_000) -> Path:
    """Recompute a refutation, a sampled one with a seed of its own, and write both down.

    Returns
    -------
    Path
        The script; the arrays stand beside it.

    Raises
    ------
    ValueError
        If the setting holds something that cannot be written.
    """
    again = check(
        claim, setting, seed=fresh(verdict.seed), confidence=verdict.confidence, budget=budget, method=verdict.method
    )
    arrays: dict[str, np.ndarray] = {}
    about = {
        "setting": _tree(setting, arrays),
        "claim": [claim.name, claim.form, claim.factor],
        "effort": {"seed": verdict.seed, "confidence": verdict.confidence, "budget": budget, "method": verdict.method},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{claim.name}-{claim.form}-{content_digest((setting, claim.factor))[:8]}.py"
    np.savez(path.with_suffix(".npz"), allow_pickle=False, setting=np.array(json.dumps(about)), **arrays)
    path.write_text(SCRIPT.format(words=verdict, again=again), encoding="utf-8")
    return path


def fresh(seed: int) -> int:
    """Another seed, whose replicates have nothing to do with those of this one."""
    return int(np.random.SeedSequence(seed, spawn_key=(2**32 - 1,)).generate_state(1)[0])


def replay(path: Path, claim: Claim | None = None) -> Verdict:
    """The verdict of a counterexample, computed anew.

    Parameters
    ----------
    path : Path
        The ``.npz`` file.
    claim : Claim, optional
        For a claim of one's own, which the file can only name.

    Raises
    ------
    ValueError
        If the claim is not one of the bench's and none is given.
    """
    with np.load(path) as stored:
        about, arrays = json.loads(str(stored["setting"])), dict(stored)
    name, form, factor = about["claim"]
    chosen = claims.get(name, form).scaled(factor) if claim is None else claim
    return check(chosen, _value(about["setting"], arrays), **about["effort"])


def _tree(value, arrays):
    if isinstance(value, np.ndarray):
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}
    if is_dataclass(value) and not isinstance(value, type):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        inside = {field.name: _tree(getattr(value, field.name), arrays) for field in fields(value) if field.init}
        return {"class": kind, "fields": inside}
    if isinstance(value, list | tuple):
        return {"tuple": [_tree(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[key, _tree(item, arrays)] for key, item in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise ValueError(f"a {type(value).__name__} cannot be written: use dataclasses, arrays, numbers and strings")


def _value(tree, arrays):
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "tuple" in tree:
        return tuple(_value(item, arrays) for item in tree["tuple"])
    if "dict" in tree:
        return {key: _value(item, arrays) for key, item in tree["dict"]}
    module, _, name = tree["class"].partition(":")
    kind: Any = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    return kind(**{name: _value(item, arrays) for name, item in tree["fields"].items()})
