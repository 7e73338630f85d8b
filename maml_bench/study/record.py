"""The record of a run: which program made it, when, where and how."""

import json
import os
import platform
from datetime import date
from importlib import metadata
from pathlib import Path

from maml_bench.study.findings import commit, versions

FILE = "run.json"


def version() -> str:
    """Of this package."""
    try:
        return metadata.version("maml-bench")
    except metadata.PackageNotFoundError:
        return "not installed"


def describe() -> str:
    """The package's version and commit, and the versions that numbers depend on, in one line."""
    return f"maml-bench {version()}" + (f" ({commit()})" if commit() else "") + f", {versions()}"


def write(reports: Path, *, quick: bool, seed: int, seconds: float) -> None:
    """Write the record of a run that has ended."""
    record = {
        "version": version(),
        "commit": commit(),
        "date": date.today().isoformat(),
        "kind": "quick" if quick else "full",
        "seed": seed,
        "seconds": round(seconds),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": versions(),
    }
    (reports / FILE).write_text(json.dumps(record, indent=1) + "\n")


def read(reports: Path) -> dict:
    """The record of a run; empty where there is none."""
    path = reports / FILE
    return json.loads(path.read_text()) if path.exists() else {}
