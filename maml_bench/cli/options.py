"""Command-line options that describe a problem. Known names are looked up when a command's help lists them."""

import math
from collections.abc import Callable, Iterable
from copy import copy

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
    click.option("--optimizer", type=click.Choice(["sgd", "adam"]), default="sgd", show_default=True),
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


def effort_options(command, budget: int, precision: float):
    """Add the options that say how hard to try, with these defaults."""
    options = (
        click.option("--seed", default=0, show_default=True, help="Seed of the replicates."),
        click.option("--confidence", default=0.99, show_default=True, help="A decision is wrong at most this rarely."),
        click.option("--budget", default=budget, show_default=True, help="Most replicates to draw."),
        click.option("--seconds", default=math.inf, show_default=True, help="Time to draw them in."),
        click.option(
            "--precision", default=precision, show_default=True, help="Draw on until limits are this close (relative)."
        ),
        click.option(
            "--method", cls=Listed, known=known_methods, default="auto", show_default=True, help="How to measure"
        ),
    )
    return _added(command, options)
