"""The state of a run in a file, so that it can go on after a pause."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from maml_bench.digest import content_digest


def save(path: str | Path, run: dict, blocks: list) -> None:
    """Write the blocks, dataclasses of arrays and a random generator, in one stroke.

    Parameters
    ----------
    run : dict
        What the run depends on: ``setting``, ``replicates``, ``seed``.
    """
    path = Path(path)
    arrays = {"run": np.array(_key(run)), "blocks": np.array(len(blocks))}
    for number, block in enumerate(blocks):
        for field in dataclasses.fields(block):
            value = getattr(block, field.name)
            if isinstance(value, np.random.Generator):
                value = np.array(json.dumps(value.bit_generator.state, default=np.ndarray.tolist))
            if value is not None:
                arrays[f"{number}.{field.name}"] = value
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(beside, path)


def load(path: str | Path, run: dict, kind: type) -> list | None:
    """The blocks in the file, each a ``kind``; None if there is no file.

    Raises
    ------
    ValueError
        If the file is of another run, or not a checkpoint.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        key, count = str(arrays["run"]), int(arrays["blocks"])
    except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise ValueError(f"checkpoint = {str(path)!r}: cannot be read ({error})") from error
    if key != _key(run):
        raise ValueError(f"checkpoint = {str(path)!r}: is of another run (setting, replicates or seed differ)")
    return [_block(arrays, number, kind) for number in range(count)]


def _block(arrays: dict[str, np.ndarray], number: int, kind: type):
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        name = f"{number}.{field.name}"
        if field.type is np.random.Generator:
            fields[field.name] = _generator(json.loads(str(arrays[name])))
        else:
            fields[field.name] = arrays.get(name)
    return kind(**fields)


def _generator(state: dict) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state | {"state": {"state": np.array(state["state"]["state"], dtype=np.uint64)}}
    return np.random.Generator(bits)


def _key(run: dict) -> str:
    return "-".join([content_digest(run["setting"]), str(run["replicates"]), str(run["seed"])])
