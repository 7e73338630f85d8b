"""Options that several commands share: what a problem is, how hard to try, where to compute, where reports go.

Known names are looked up when a command's help lists them. Options that belong together reach a command as one
argument: ``effort``, a dictionary of keywords of `maml_bench.check`, and ``workers``, a `Workers`.
"""

import math
from collections.abc import Callable, Iterable
from copy import copy
from functools import wraps
from pathlib import Path

import click


class Listed(click.Option):
    """An option whose help ends with the names it knows."""

    def __init__(self, *args, known: Callable[[], Iterable[str]], **kwargs):
        super().__init__(*args, **kwargs)
        self.known = known

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        listed = copy(self)
        listed.help = f"{self.help}: {', '.join(self.known())}."
        return click.Option.get_help_record(listed, ctx)


def _families() -> Iterable[str]:
    from maml_bench.problems import FAMILIES

    return FAMILIES


def _hessians() -> Iterable[str]:
    from maml_bench.cli.setting import HESSIANS

    return HESSIANS


def _algorithms() -> Iterable[str]:
    from maml_bench.cli.setting import ALGORITHMS

    return ALGORITHMS


def known_methods() -> Iterable[str]:
    from maml_bench.effort import METHODS

    return METHODS


_PROBLEM = (
    click.option(
        "--family", cls=Listed, known=_families, default="quadratic", show_default=True, help="Problem family"
    ),
    click.option("--problem", help="Tasks of your own, FILE.py:object, in place of a family."),
    click.option("--dim", default=5, show_default=True, help="Dimension d (of a bandit: arms)."),
    click.option("--tasks", default=1, show_default=True, help="Number of tasks."),
    click.option("--problem-seed", default=0, show_default=True, help="Seed of the random tasks."),
    click.option(
        "--noise",
        type=click.Choice(["additive", "random-phase", "none"]),
        default="additive",
        show_default=True,
        help="Sampling model; bandits and logistic tasks have their own.",
    ),
    click.option("--sigma-g", default=1.0, show_default=True, help="Noise of one additive gradient sample."),
    click.option("--amplitude", default=1.0, show_default=True, help="Amplitude of the random-phase noise."),
    click.option("--kappa", default=1.0, show_default=True, help="Frequency of the random-phase noise."),
)
_SETTING = (
    click.option("--point", default=1.0, show_default=True, help="Every coordinate of the meta parameter w."),
    click.option("--alpha", default=0.05, show_default=True, help="Inner step size."),
    click.option("--steps", default=4, show_default=True, help="Inner steps N."),
    click.option("--S", "S", default=1, show_default=True, help="Samples per inner gradient."),
    click.option("--D", "D", default=1, show_default=True, help="Samples per Hessian estimate."),
    click.option("--T", "T", default=1, show_default=True, help="Samples of the final gradient."),
    click.option(
        "--hessian",
        cls=Listed,
        known=_hessians,
        default="exact",
        show_default=True,
        help="Estimator: FILE.py:object or one of",
    ),
    click.option("--nu", default=0.01, show_default=True, help="Smoothing radius, or difference step."),
    click.option("--directions", default=10, show_default=True, help="Gaussian directions Q."),
    click.option(
        "--data",
        type=click.Choice(["resampled", "shared", "population"]),
        default="resampled",
        show_default=True,
        help="Samples that the differences of a Hessian estimator use.",
    ),
    click.option("--iterations", type=int, help="Meta-iterations K of an outer loop; statements about runs need one."),
    click.option("--B", "B", default=10, show_default=True, help="Tasks per meta-iteration."),
    click.option("--beta", type=float, help="Meta step size."),
    click.option("--C-beta", "C_beta", type=float, help="Meta step size 1/(C_beta L^) in place of --beta."),
    click.option("--B-beta", "B_beta", type=int, help="Tasks that L^ is estimated from.  [default: B]"),
    click.option("--D-beta", "D_beta", type=int, help="Samples for each of them.  [default: 1]"),
    click.option("--algorithm", cls=Listed, known=_algorithms, default="maml", show_default=True, help="Method"),
    click.option(
        "--optimizer", type=click.Choice(["sgd", "adam"]), default="sgd", show_default=True, help="Of the meta steps."
    ),
)


def problem_options(command):
    """Add the options that describe tasks."""
    return _added(command, _PROBLEM)


def setting_options(command):
    """Add the options that describe tasks and what is done with them."""
    return _added(command, (*_PROBLEM, *_SETTING))


def _added(command, options):
    for option in reversed(options):
        command = option(command)
    return command


def _gathered(command, name: str, options: dict, make: Callable):
    """Add the options, and hand on what they say as one argument ``name``: ``make(**values)``."""

    @wraps(command)
    def gathering(**values):
        own = {each: values.pop(each) for each in options}
        return command(**values, **{name: make(**own)})

    return _added(gathering, tuple(options.values()))


def effort_options(command, budget: int, precision: float | None = None):
    """Add the options that say how hard to try, with these defaults; without a precision, those of repeated runs."""
    options = {
        "seed": click.option("--seed", default=0, show_default=True, help="Seed of the replicates."),
        "confidence": click.option(
            "--confidence", default=0.99, show_default=True, help="A decision is wrong at most this rarely."
        ),
        "budget": click.option("--budget", default=budget, show_default=True, help="Most replicates to draw."),
        "seconds": click.option("--seconds", default=math.inf, show_default=True, help="Time to draw them in."),
        "precision": click.option(
            "--precision", default=precision, show_default=True, help="Draw on until limits are this close (relative)."
        ),
        "method": click.option(
            "--method", cls=Listed, known=known_methods, default="auto", show_default=True, help="How to measure"
        ),
    }
    if precision is None:
        options = {name: options[name] for name in ("seed", "confidence", "budget")}
    return _gathered(command, "effort", options, dict)


def _workers(workers, processes, cluster):
    from maml_bench.montecarlo.workers import Workers

    return Workers(workers, processes, cluster)


def workers_options(command):
    """Add the options that say where replicates are computed."""
    options = {
        "workers": click.option(
            "--workers", default=1, show_default=True, help="Workers here; no number depends on it."
        ),
        "processes": click.option("--processes", is_flag=True, help="Processes in place of threads."),
        "cluster": click.option("--cluster", default="", help="Address of a Dask scheduler, such as tcp://host:8786."),
    }
    return _gathered(command, "workers", options, _workers)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

_FORM = click.option("--form", help="Form of the bound, see `maml-bench claims`.  [default: sharp, or the first]")


def claim_options(command, metavar: str = "CLAIM|FILE.py:claim"):
    """Add the argument and the option that name a claim."""
    return _added(command, (click.argument("claim", metavar=metavar), _FORM))


OUTPUT, QUICK_OUTPUT = Path("reports"), Path("build/quick")


def study_options(command):
    """Add the options of a run of studies; ``output`` is a folder, by default one that depends on ``quick``."""

    @wraps(command)
    def placed(output, quick, **values):
        return command(output=output or (QUICK_OUTPUT if quick else OUTPUT), quick=quick, **values)

    options = (
        click.option("--quick", is_flag=True, help="Fewer cases and smaller budgets: a first look."),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            help=f"Reports go here.  [default: {OUTPUT}, with --quick {QUICK_OUTPUT}]",
        ),
        click.option("--seed", default=0, show_default=True, help="Seed of all that is drawn."),
    )
    return _added(workers_options(placed), options)
