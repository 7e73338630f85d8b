"""What many tests share: small problems by name, a setting in one line, draws of a claim, assertions about means."""

import math
from dataclasses import dataclass, replace

import numpy as np

from maml_bench import InnerLoop, OuterLoop, Setting, check, claims
from maml_bench.hessians import CentralDifference, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    FAMILIES,
    AdditiveGaussian,
    FiniteSum,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    TaskPairs,
    Trigonometric,
)
from maml_bench.study import record, telling
from maml_bench.study.findings import FILE, append, frame

NOISES = {"additive": AdditiveGaussian(1.0), "random-phase": RandomPhase(1.0, 1.5)}


def families(dim: int = 4, tasks: int = 3, seed: int = 1, **radius) -> dict:
    """A quadratic, a smooth and a kinked family, and one on a ball: what estimators are tried on."""
    found = {family.__name__.lower(): family.random(dim, tasks, seed) for family in (Quadratic, Trigonometric, Kink)}
    return found | {"rank-one": RankOne.random(dim, tasks, seed, **radius)}


@dataclass(frozen=True, eq=False)
class Understated(Quadratic):
    """A quadratic whose certificate halves its L."""

    @property
    def regularity(self):
        found = super().regularity
        return replace(found, L=found.L / 2)


def tilted(tasks, shift: float = 0.1) -> FiniteSum:
    """Tasks as support, and the same with b moved by ``shift`` as target."""
    return FiniteSum.pair(tasks, replace(tasks, b=tasks.b + shift))


def slanted(dim: int) -> np.ndarray:
    """A point without symmetry."""
    return np.linspace(-0.5, 1.0, dim)


def at(tasks, w=1.0, alpha=0.1, steps=3, hessian=None, outer=None, *, alpha_L=None, **batches) -> Setting:
    """A setting; ``w`` may be what every coordinate is, ``alpha_L`` stands in place of alpha."""
    step = alpha if alpha_L is None else alpha_L / tasks.regularity.L
    point = np.full(tasks.dim, float(w)) if np.ndim(w) == 0 else w
    return Setting(tasks, point, InnerLoop(step, steps, **batches), hessian or ExactHessian(), outer)


def run(tasks, w=1.0, hessian=None, *, alpha_L=1 / 24, steps=3, **outer) -> Setting:
    """A setting of an algorithm, with batches of four on the inner path and larger ones for the step size."""
    outer = {"iterations": 8, "B": 40, "C_beta": 20.0, "B_beta": 4, "D_beta": 16} | outer
    return at(tasks, w, steps=steps, hessian=hessian, outer=OuterLoop(**outer), alpha_L=alpha_L, S=4, D=4, T=4)


def draws(name: str, case: Setting, replicates: int, seed: int = 0, form: str | None = None) -> np.ndarray:
    """Replicates of a claim's left side, (replicates, cells, ...), as `check` draws them."""
    draw = claims.get(name, form or claims.forms(name)[0]).measurement.sampled.draw(case)
    return np.asarray(getattr(draw, "draw", draw)(np.random.default_rng(seed), replicates))


def chance(rate: float) -> str:
    """How often a statistical test fails that finds nothing wrong, in words for whoever reads its failure."""
    return f"a statistical test: it fails by chance with a probability of at most {rate:.1g}"


def beyond(sigmas: float, count: int = 1) -> float:
    """The probability that one of ``count`` normal numbers is farther from its mean than ``sigmas`` deviations."""
    return min(1.0, count * math.erfc(sigmas / math.sqrt(2)))


def assert_mean(values: np.ndarray, expected, sigmas: float = 5.0, slack: float = 1e-12) -> None:
    """The mean over the first axis is the expected one in every entry.

    It is off by five standard errors with probability 6e-7, by 5.5 with 4e-8, as far as a mean is normal; ``slack`` is
    for rounding.
    """
    spread = values.std(0) / np.sqrt(len(values))
    allowed = sigmas * spread + slack
    error = np.abs(values.mean(0) - expected)
    assert np.all(error <= allowed), (
        f"{sigmas * np.max(error / allowed)} standard errors; {chance(beyond(sigmas, error.size))}"
    )


def within_ceiling(capped, seed: int = 0, count: int = 6000, slack: float = 1e-12) -> np.ndarray:
    """Replicates of a draw with a ceiling, (count, cells, ...), none of which is beyond it."""
    found = np.asarray(capped.draw(np.random.default_rng(seed), count))
    assert found.shape[:2] == (count, len(capped.ceiling))
    size = np.abs(found) if found.ndim == 2 else np.linalg.norm(found.reshape(*found.shape[:2], -1), axis=-1)
    if found.ndim == 4:
        size = np.where(size > capped.ceiling, np.linalg.norm(found, 2, axis=(-2, -1)), size)
    assert np.all(size <= capped.ceiling * (1 + slack))
    return found


def assert_same_mean(first: np.ndarray, second: np.ndarray, sigmas: float = 5.5) -> None:
    """The means of two independent samples agree in every entry."""
    spread = np.sqrt(first.var(0) / len(first) + second.var(0) / len(second))
    gap = np.abs(first.mean(0) - second.mean(0))
    np.testing.assert_array_less(gap, sigmas * spread, chance(beyond(sigmas, gap.size)))


def reason(name, case: Setting, form: str | None = None) -> str:
    """Why a claim does not apply, which it must not."""
    found = check(name, case, form=form)
    assert found.outcome == "not applicable"
    return found.reason


def losses(dim: int = 3, tasks: int = 5, seed: int = 0) -> dict:
    """Every family that has one loss a task, the losses of pairs, odd shapes, and both kinds of noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((tasks, dim, dim))
    found = {}
    for name, family in FAMILIES.items():
        made = family.random(dim, tasks, seed)
        if isinstance(made, TaskPairs):
            found |= {f"{name} support": made.support, f"{name} target": made.target}
        else:
            found[name] = made
    return found | {
        "quadratic, a matrix a task": Quadratic(A + A.swapaxes(-1, -2), rng.standard_normal((tasks, dim))),
        "trigonometric, seven dimensions": Trigonometric.random(7, tasks, seed),
        "logistic gathered": Logistic.random(dim, tasks, seed)[np.arange(tasks)].target,
        "additive noise": Trigonometric.random(dim, tasks, seed).with_noise(AdditiveGaussian(0.5)),
        "random phase": Kink.random(dim, tasks, seed).with_noise(RandomPhase(0.5, 1.0)),
    }


OF_RUNS = ("lemma-b", "thm", "cor", "zo-neighbourhood", "finite-thm")
"""Claims about runs begin so; what is measured along runs is sampled, and far above rounding."""


def estimators(nu: float):
    """One Hessian estimator of every kind, with four directions of smoothing radius or difference step nu."""
    return (
        ExactHessian(),
        GaussianSmoothing(nu, 4),
        GaussianSmoothing(nu, 4, "population"),
        ZerothOrder(nu, 4, data="population"),
        ZerothOrder(nu, 4, stein=True, data="population"),
        CentralDifference(nu),
    )


def reported(folder, study, rows, quick: bool = False):
    """A folder of reports with this study alone, run with seed 3, which found these rows."""
    own = folder / study.name
    own.mkdir(parents=True)
    append(own / FILE, rows)
    record.write(own, quick=quick, seed=3)
    telling.write(study, frame(rows), None, own)
    return folder
