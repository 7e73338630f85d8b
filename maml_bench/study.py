"""A study: cells to check, run one after another with resume, and then told as a report."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maml_bench import checks, claims
from maml_bench.finding import VERSIONS, Finding, FindingsFile
from maml_bench.montecarlo.workers import Workers
from maml_bench.provenance import code_digest, content_digest
from maml_bench.setting import Setting
from maml_bench.verdict import check_all


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: a setting, and the claims (all their forms) to check there.

    Parameters
    ----------
    problem : str
        Name of the problem, as the report shows it.
    parameters : dict
        What is swept, by name; numbers and strings.
    setting : Setting
    claims : tuple of str
    budget, precision
        As in `maml_bench.check`, for these claims.
    """

    problem: str
    parameters: dict
    setting: Setting
    claims: tuple[str, ...]
    budget: int = 1_000_000
    precision: float = 0.02


@dataclass(frozen=True)
class Study:
    """A question, the cells that answer it, and how the answer is told.

    Parameters
    ----------
    name, title : str
    cells : callable
        ``cells(quick) -> sequence of Cell``.
    tell : callable
        ``tell(findings, directory) -> str``: writes figures into the directory, returns the report in Markdown.
    confidence : float
        Probability that all verdicts of the study are right; each cell is tested at its share of the rest.
    """

    name: str
    title: str
    cells: Callable[[bool], Sequence[Cell]]
    tell: Callable[[Sequence[Finding], Path], str]
    confidence: float = 0.99


@dataclass(frozen=True)
class _Job:
    """The claims of one cell that share a measurement, with the keys of their findings."""

    cell: Cell
    claims: tuple[claims.Claim, ...]
    seed: int
    confidence: float
    keys: tuple[str, ...]


def _digest(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _jobs(study: Study, quick: bool, seed: int) -> list[_Job]:
    cells = study.cells(quick)
    rows = sum(len(claims.forms(name)) for cell in cells for name in cell.claims)
    confidence = 1 - (1 - study.confidence) / rows
    jobs = []
    for cell in cells:
        setting = content_digest(cell.setting)
        modules = {type(cell.setting.tasks).__module__, type(cell.setting.hessian).__module__}
        modules |= {type(part).__module__ for part in vars(cell.setting.tasks).values() if hasattr(part, "__module__")}
        for name in cell.claims:
            chosen = tuple(claims.get(name, form) for form in claims.forms(name))
            about = (study.name, name, cell.problem, cell.parameters, setting, seed)
            own_seed = int(_digest(*about)[:8], 16)
            code = code_digest(chosen[0].measurement.sampler.__module__, "maml_bench.verdict", *sorted(modules))
            keys = tuple(
                _digest(about, claim.form, confidence, cell.budget, cell.precision, code)[:20] for claim in chosen
            )
            jobs.append(_Job(cell, chosen, own_seed, confidence, keys))
    return jobs


def rows(study: Study, quick: bool) -> int:
    """Number of findings the study has."""
    return sum(len(claims.forms(name)) for cell in study.cells(quick) for name in cell.claims)


def run(
    study: Study,
    directory: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    seconds: float = math.inf,
    workers: Workers | int = 1,
) -> Iterator[Finding]:
    """Yield the study's findings, each after it is on disk in ``directory/findings.jsonl``.

    Rows that the file already holds, for the same parameters, seed and code, are taken from it; others in the file are dropped.
    A run that is killed at any moment continues from there, and ends with the same rows.

    Parameters
    ----------
    seconds : float
        Time for each cell, as in `maml_bench.check`; with a finite value rows may depend on the machine's pace.
    """
    jobs = _jobs(study, quick, checks.seed(seed))
    file = FindingsFile(directory / "findings.jsonl")
    stored = file.load()
    kept = [stored[key] for job in jobs for key in job.keys if all(other in stored for other in job.keys)]
    file.replace(kept)
    for job in jobs:
        if all(key in stored for key in job.keys):
            yield from (stored[key] for key in job.keys)
            continue
        verdicts = check_all(
            job.claims,
            job.cell.setting,
            seed=job.seed,
            confidence=job.confidence,
            budget=job.cell.budget,
            precision=job.cell.precision,
            seconds=seconds,
            workers=workers,
        )
        fresh = [
            Finding(key, study.name, job.cell.problem, job.cell.parameters, verdict, job.cell.budget, VERSIONS)
            for key, verdict in zip(job.keys, verdicts, strict=True)
        ]
        file.append(fresh)
        yield from fresh
