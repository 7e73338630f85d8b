"""A study: cells to check, run one after another with resume, and then told as a report."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sympy import srepr

from analytic import arguments
from maml_bench import claims
from maml_bench.claims.claim import by_measurement
from maml_bench.digest import content_digest
from maml_bench.montecarlo.workers import Workers
from maml_bench.power import power
from maml_bench.setting import Setting
from maml_bench.study.findings import VERSIONS, Finding, FindingsFile
from maml_bench.study.provenance import code_digest
from maml_bench.verdict import check_all


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: a setting, and the claims to check there.

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
    repeats : int
        If positive, each check is also run by sampling to the end of its budget with this many seeds of its own, and
        the finding carries the factors on the bound that each run would notice or confirm (see `maml_bench.power`),
        at the confidence of the study.
    forms : tuple of str
        Forms of the bounds; empty for all.
    """

    problem: str
    parameters: dict
    setting: Setting
    claims: tuple[str, ...]
    budget: int = 1_000_000
    precision: float = 0.02
    repeats: int = 0
    forms: tuple[str, ...] = ()

    def claimed(self, name: str) -> list[claims.Claim]:
        """The forms to check of one of the claims."""
        return [claims.get(name, form) for form in self.forms or claims.forms(name)]


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
    overall: float
    keys: tuple[str, ...]


def _digest(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _right_side(claim: claims.Claim) -> list[str]:
    """What the bound says, as text: a corrected bound invalidates its rows and no others."""
    return [srepr(claim.bound.expression), *(srepr(condition.relation) for condition in claim.bound.conditions)]


def _jobs(study: Study, quick: bool, seed: int) -> list[_Job]:
    cells = study.cells(quick)
    share = 1 - (1 - study.confidence) / sum(len(cell.claimed(name)) for cell in cells for name in cell.claims)
    jobs = []
    for cell in cells:
        setting, effort = content_digest(cell.setting), (cell.budget, cell.precision, cell.repeats)
        for name in cell.claims:
            about = (study.name, name, cell.problem, cell.parameters, setting, seed)
            for chosen in by_measurement(cell.claimed(name)):
                code = code_digest(*_modules(cell.setting, chosen[0]))
                keys = tuple(_digest(about, c.form, _right_side(c), share, effort, code)[:20] for c in chosen)
                jobs.append(_Job(cell, chosen, int(_digest(*about)[:8], 16), share, study.confidence, keys))
    return jobs


def _modules(setting: Setting, claim: claims.Claim) -> list[str]:
    """Where the code is that a verdict depends on: the measurement's functions, the tasks with their parts,
    the estimator.
    """
    sampled = claim.measurement.sampled
    functions = (sampled and sampled.draw, claim.measurement.exact, claim.measurement.search)
    parts = (setting.tasks, setting.hessian, *vars(setting.tasks).values())
    modules = {function.__module__ for function in functions if function}
    modules |= {type(part).__module__ for part in parts}
    return ["maml_bench.power", claims.MODULES[claim.name], *sorted(modules)]


def _repeated(job: _Job, claim: claims.Claim, workers: Workers | int) -> dict[str, list[float]]:
    if not job.cell.repeats:
        return {}
    seeds = range(job.seed, job.seed + job.cell.repeats)
    found = power(claim, job.cell.setting, seeds=seeds, confidence=job.overall, budget=job.cell.budget, workers=workers)
    return {name: [float(f"{x:.6g}") for x in getattr(found, name)] for name in ("noticed", "confirmed")}


def rows(study: Study, quick: bool) -> int:
    """Number of findings the study has."""
    return sum(len(cell.claimed(name)) for cell in study.cells(quick) for name in cell.claims)


def run(
    study: Study,
    directory: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    workers: Workers | int = 1,
) -> Iterator[Finding]:
    """Yield the study's findings, each after it is on disk in ``directory/findings.jsonl``.

    Rows that the file already holds, for the same parameters, seed and code, are taken from it; others in the file
    are dropped. A run that is killed at any moment continues from there, and ends with the same rows.
    """
    jobs = _jobs(study, quick, arguments.seed(seed))
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
            workers=workers,
        )
        fresh = [
            Finding(
                key,
                study.name,
                job.cell.problem,
                job.cell.parameters,
                verdict,
                job.cell.budget,
                VERSIONS,
                _repeated(job, claim, workers),
            )
            for key, claim, verdict in zip(job.keys, job.claims, verdicts, strict=True)
        ]
        file.append(fresh)
        yield from fresh
