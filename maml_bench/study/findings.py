"""Findings: one row of a study, and the file of rows that survives being killed."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import scipy

from maml_bench.verdict import Verdict

VERSIONS = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}


@dataclass(frozen=True)
class Finding:
    """A verdict with what it is about.

    Attributes
    ----------
    key : str
        Digest of all that the verdict depends on: study, parameters, setting, seed, budget, and the code involved.
    study, problem : str
    parameters : dict
        Parameters of the setting, as swept.
    verdict : Verdict
    budget : int
    versions : dict
        Of Python and the numerical libraries.
    repeated : dict
        ``noticed`` and ``confirmed`` of `maml_bench.power.Power`, one entry for each repeated run;
        empty if there were none.
    """

    key: str
    study: str
    problem: str
    parameters: dict
    verdict: Verdict
    budget: int
    versions: dict
    repeated: dict = field(default_factory=dict)

    def row(self) -> dict:
        """The finding as one flat JSON object (the parameters and versions stay objects)."""
        fields = {name: getattr(self, name) for name in ("key", "study", "problem", "parameters")}
        rest = {name: getattr(self, name) for name in ("budget", "versions", "repeated")}
        return fields | self.verdict.as_dict() | rest

    @classmethod
    def from_row(cls, row: dict) -> "Finding":
        """The inverse of `row`."""
        names = asdict(Verdict("", "", "")).keys()
        numbers = names - {"evidence"}
        fields = {name: float("nan") if row[name] is None else row[name] for name in numbers}
        verdict = Verdict(**fields, evidence=row.get("evidence"))
        rest = ("key", "study", "problem", "parameters", "budget", "versions", "repeated")
        return cls(verdict=verdict, **{name: row[name] for name in rest})


class FindingsFile:
    """A JSON-lines file of findings: rows are appended whole and flushed to disk; a torn last line is dropped."""

    def __init__(self, path: Path):
        self.path = path

    def load(self) -> dict[str, Finding]:
        """Findings by key; later rows replace earlier ones. Lines that are not whole findings are passed over."""
        found = {}
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    finding = Finding.from_row(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    continue
                found[finding.key] = finding
        return found

    def replace(self, findings: Iterable[Finding]) -> None:
        """Write the file anew, in one step: it holds the old rows or the new ones, never a part."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".tmp")
        with fresh.open("wb") as file:
            file.write(_lines(findings))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    def append(self, findings: Iterable[Finding]) -> None:
        """Add rows at the end, in one write, on disk when this returns."""
        with self.path.open("ab", buffering=0) as file:
            file.write(_lines(findings))
            os.fsync(file.fileno())


def _lines(findings: Iterable[Finding]) -> bytes:
    return "".join(json.dumps(finding.row()) + "\n" for finding in findings).encode()
