"""A study: a question, the cases that answer it, and how the answer is told; run with resume."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MethodType
from typing import Any, cast

import pandas as pd

from analytic import arguments
from analytic.bound import Bound
from maml_bench import counterexample
from maml_bench.claims import CLAIMS, Claim
from maml_bench.claims.claim import by_measurement
from maml_bench.digest import code_digest, content_digest
from maml_bench.evidence import Outcome
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting
from maml_bench.study import findings
from maml_bench.study.cases import Case, Sweep
from maml_bench.study.facts import Fact
from maml_bench.study.figures import Figure
from maml_bench.study.heatmap import HeatMap
from maml_bench.verdict import check, check_all

ERROR = 1e-5
"""Probability that a row's verdict is wrong; a report states the union bound over its rows."""


@dataclass(frozen=True)
class Study:
    """A question, the cases that answer it, and how the answer is told.

    The prose stands in a Markdown template beside the study's file, ``inner_path.md`` beside ``inner_path.py``.

    Parameters
    ----------
    name, question : str
    cases : Sweep or sequence of Sweep
        From `maml_bench.study.cases.sweep` and `maml_bench.study.cases.curves`.
    figures : dict of Figure or HeatMap
        By the name under which the template shows them.
    facts : callable
        ``facts(table) -> sequence of Fact``: what the numbers are expected to say, and whether they do.
    derive : callable, optional
        ``derive(table) -> rows``: further rows for figures and facts, made from the findings.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> from maml_bench.study import Study, sweep
    >>> tasks = Quadratic.concave(2).with_noise(AdditiveGaussian(1.0))
    >>> setting = lambda N: Setting(tasks, np.ones(2), InnerLoop(0.1, N))
    >>> Study("steps", "How far after N steps?", sweep(setting, ("prop2-second",), {"N": (1, 2, 4)})).name
    'steps'
    """

    name: str
    question: str
    cases: Sweep | Sequence[Sweep]
    figures: Mapping[str, Figure | HeatMap] = field(default_factory=dict)
    facts: Callable[[pd.DataFrame], Sequence[Fact]] = lambda table: ()
    derive: Callable[[pd.DataFrame], Sequence[Mapping]] | None = None

    def all_cases(self, quick: bool = False) -> list[Case]:
        """The cases of all sweeps."""
        sweeps = [self.cases] if isinstance(self.cases, Sweep) else self.cases
        return [case for sweep in sweeps for case in sweep.cases(quick)]


@dataclass(frozen=True)
class Job:
    """What is computed, and redone, as one: the claims of a case that share a measurement, or its curves."""

    case: Case
    claims: tuple[Claim, ...]
    seed: int
    key: str

    def found(self, workers: Workers | int) -> list[dict]:
        """What was found, each in the columns of `maml_bench.study.findings`."""
        case = self.case
        if case.measure is not None:
            return [dict(row) for row in case.measure(case.point, seed=self.seed, budget=case.budget, workers=workers)]
        effort: dict[str, Any] = {
            "seed": self.seed,
            "confidence": 1 - ERROR,
            "budget": case.budget,
            "precision": case.precision,
        }
        verdicts = check_all(self.claims, case.point, workers=workers, **effort)
        words = self.claims[0].measurement.words
        return [findings.about_verdict(verdict) | {"quantity": words} for verdict in verdicts]


def jobs(study: Study, quick: bool = False, seed: int = 0) -> list[Job]:
    """All there is to compute, in order."""
    out, seed = [], arguments.seed(seed)
    for case in study.all_cases(quick):
        point = content_digest(case.point)
        for claims in by_measurement(case.claims) or [()]:
            about = (
                study.name,
                point,
                case.parameters,
                claims[0].name if claims else content_digest(case.measure),
                seed,
            )
            effort = (case.budget, case.precision, ERROR, code_digest())
            key = _digest(about, [_asked_claim(claim) for claim in claims], effort)[:20]
            out.append(Job(case, claims, int(_digest(about)[:8], 16), key))
    return out


def _digest(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _asked_claim(claim: Claim) -> list:
    """What a claim asks. What ours mean is in `code_digest`; a user's own must tell all of itself."""
    name = [claim.name, claim.form, claim.factor]
    if CLAIMS.get((claim.name, claim.form)) is claim:
        return name
    bound = _told(claim.bound) if isinstance(claim.bound, Bound) else content_digest(claim.bound)
    measurement, sampled = claim.measurement, claim.measurement.sampled
    if sampled and isinstance(sampled.footprint, MethodType):  # memory is measured on the draw, which says it all
        measurement = replace(measurement, sampled=replace(sampled, footprint=cast(Any, None)))
    return [*name, claim.sense, claim.tolerance, bound, content_digest(measurement)]


def _told(bound: Bound) -> list:
    """All that a bound says."""
    return [bound.text(), *map(str, bound.conditions), *map(_told, bound.others)]


def run(
    study: Study,
    folder: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    workers: Workers | int = 1,
) -> Iterator[list[dict]]:
    """Yield the findings of each job, after they are on disk in ``folder/findings.jsonl``.

    Rows that the file already holds, for the same contents, seed, effort and code, are taken from it; others in the
    file are dropped. A run that is killed at any moment continues from there, and ends with the same rows.

    Raises
    ------
    BlockingIOError
        If another process writes there.
    """
    todo = jobs(study, quick, seed)
    path = folder / findings.FILE
    with findings.locked(folder):
        stored: dict[str, list[dict]] = {}
        for row in findings.read(path):
            stored.setdefault(row["key"], []).append(row)
        stored = {key: found for key, found in stored.items() if len(found) == found[0].get("parts")}
        findings.replace(path, (row for job in todo for row in stored.get(job.key, ())))
        for job in todo:
            if job.key not in stored:
                stored[job.key] = rows(study, job, workers, folder)
                findings.append(path, stored[job.key])
            yield stored[job.key]


def rows(study: Study, job: Job, workers: Workers | int = 1, folder: Path | None = None) -> list[dict]:
    """What a job finds, each row in all its columns; violations are written into the folder as counterexamples."""
    case = job.case
    known = findings.about_setting(case.point) if isinstance(case.point, Setting) else {}
    common = {"study": study.name, "problem": known.get("family", ""), **known, **case.parameters}
    effort: dict[str, Any] = {"budget": case.budget, "seed": job.seed}
    origin = findings.origin() | {"key": job.key}
    found = job.found(workers)
    for claim, row in zip(job.claims, found, strict=False):
        if folder is not None and row.get("outcome") == Outcome.VIOLATED:
            verdict = check(claim, case.point, confidence=1 - ERROR, **effort)
            with suppress(ValueError):  # what cannot be written down is in the row all the same
                counterexample.write(verdict, claim, case.point, folder / "counterexamples", case.budget)
    return [
        findings.strict(
            common | effort | row | origin | {"part": part, "parts": len(found), "swept": list(case.parameters)}
        )
        for part, row in enumerate(found)
    ]
