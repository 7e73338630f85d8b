"""Findings: what a study found, a row each that explains itself, and the file of rows that survives being killed."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from analytic.arguments import shown
from maml_bench.evidence import Evidence, Outcome
from maml_bench.files import as_path
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.setting import Setting
from maml_bench.study.text import naming
from maml_bench.verdict import Verdict

FILE = "findings.jsonl"
ABOUT = ("study", "claim", "form", "quantity", "problem", "family", "estimator")
FOUND = (
    *("outcome", "evidence", "method", "value", "lower", "upper", "limits"),
    *("bound", "ratio", "task", "factor", "reason"),
)
EFFORT = ("replicates", "seconds", "seed", "confidence", "budget")
ORIGIN = ("versions", "commit", "date", "machine", "key", "part", "parts", "swept")
NUMBERS = (
    *("alpha", "alphaL", "N", "S", "D", "T", "d", "tasks", "Q", "nu", "delta"),
    *("L", "rho", "tau", "sigma", "sigma_g", "sigma_H", "radius", "b", "b_tilde"),
    *("K", "B", "beta", "C_beta", "B_beta", "D_beta"),
)
"""Parameters as numbers; a row lacks those that its setting does not have, or for which no finite value is known."""
COLUMNS = (*ABOUT, *FOUND, *EFFORT, *NUMBERS, *ORIGIN)
OUTCOMES, EVIDENCE = tuple(map(str, Outcome)), tuple(map(str, Evidence))


def versions() -> str:
    """Of this package, of Python and of the numerical libraries."""
    try:
        own = metadata.version("maml-bench")
    except metadata.PackageNotFoundError:
        own = "not installed"
    return f"maml-bench {own}, python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"


def origin() -> dict:
    """Which program finds something here and now, on which machine."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return {"versions": versions(), "commit": commit(), "date": date.today().isoformat(), "machine": machine}


@cache
def commit() -> str:
    """The commit of the checkout that this package runs from, with ``+`` where files differ from it; else nothing."""
    here = Path(__file__).parent

    def git(*arguments):
        done = subprocess.run(["git", "-C", here, *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except OSError:  # no git here
        return ""


def about_verdict(verdict: Verdict) -> dict:
    """The columns that a verdict fills."""
    fields = {name: value for name, value in vars(verdict).items() if name in COLUMNS}
    kinds = {name: str(fields[name] or "") for name in ("outcome", "evidence", "limits")}
    return fields | kinds | {"task": verdict.cell}


def about_setting(setting: Setting) -> dict:
    """The columns that a setting fills: every parameter as a number, the family and the estimator by name."""
    tasks, inner, hessian, outer = setting.tasks, setting.inner, setting.hessian, getattr(setting, "outer", None)
    regularity = tasks.regularity
    names = ("L", "rho", "tau", "sigma", "sigma_g", "sigma_H", "radius")
    found = {name: getattr(regularity, name) for name in names}
    found |= {"alpha": inner.alpha, "alphaL": inner.alpha * regularity.L, "N": inner.steps}
    found |= {name: getattr(inner, name) for name in ("S", "D", "T")}
    found |= {"d": tasks.dim, "tasks": math.prod(tasks.batch_shape)}
    found |= {"Q": getattr(hessian, "directions", None)}
    found |= {name: getattr(hessian, name, None) for name in ("nu", "delta")}
    if isinstance(tasks, TaskPairs):
        found |= {"b": tasks.b, "b_tilde": tasks.b_tilde}
    found |= {"K": getattr(outer, "iterations", None)}
    found |= {name: getattr(outer, name, None) for name in ("B", "beta", "C_beta", "B_beta", "D_beta")}
    numbers = {name: x for name, x in found.items() if x is not None and math.isfinite(x)}
    plain = getattr(tasks, "population", tasks)  # under a sampling model
    corrected = " with Stein's correction" if getattr(hessian, "stein", False) else ""
    return numbers | {"family": type(plain).__name__, "estimator": type(hessian).__name__ + corrected}


def strict(row: Mapping) -> dict:
    """A row as JSON knows it: without what is not known, and NumPy's numbers as Python's."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {
        name: value
        for name, value in plain.items()
        if value is not None and value != "" and not (isinstance(value, float) and not math.isfinite(value))
    }


def read(path: Path) -> list[dict]:
    """Rows of a file; lines that are not whole rows are passed over, and of a key's parts the last ones count."""
    rows = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
            rows[row["key"], row["part"]] = row
        except (ValueError, KeyError, TypeError):
            continue
    return list(rows.values())


def frame(rows: Iterable[Mapping]) -> pd.DataFrame:
    """Rows as a table with all of `COLUMNS`, and those of the study's own parameters."""
    table = pd.DataFrame(list(rows))
    table = table.reindex(columns=[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)])
    numeric = [*NUMBERS, "value", "lower", "upper", "bound", "ratio", *EFFORT]
    table[numeric] = table[numeric].apply(pd.to_numeric)
    words = [*ABOUT, "outcome", "evidence", "limits", "method", "reason", "versions", "commit", "date", "machine"]
    table[words] = table[words].astype(object).where(table[words].notna(), "")
    return table


def load(folder: str | Path) -> pd.DataFrame:
    """The findings of a study, or of all studies that ``folder`` holds the reports of.

    Raises
    ------
    FileNotFoundError
        If there are none.

    Examples
    --------
    >>> from maml_bench.study import load
    >>> load("reports")["outcome"].value_counts()  # doctest: +SKIP
    """
    folder = as_path("folder", folder)
    files = [folder / FILE] if (folder / FILE).exists() else sorted(folder.glob(f"*/{FILE}"))
    if not files:
        raise FileNotFoundError(f"folder = {shown(str(folder))}: no {FILE} in it or in a folder of it")
    return frame(row for path in files for row in read(path))


def replace(path: Path, rows: Iterable[Mapping]) -> None:
    """Write the file anew, in one step: it holds the old rows or the new ones, never a part."""
    fresh = path.with_suffix(".tmp")
    _write(fresh, "wb", rows)
    fresh.replace(path)


def append(path: Path, rows: Iterable[Mapping]) -> None:
    """Add rows at the end, on disk when this returns."""
    _write(path, "ab", rows)


def _write(path: Path, mode: str, rows: Iterable[Mapping]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()
    with naming(path), path.open(mode) as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold the folder against other processes; the system frees it when the process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process holds it, and is not to be waited for.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BlockingIOError(f"{folder} is in use: another process writes its findings there") from None
        yield
