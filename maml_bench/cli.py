"""The command line: ``maml-bench claims | theory | check | study | report``."""

import importlib
import json
import math
import os
import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from analytic import STATEMENTS, statement
from maml_bench import claims, terminal
from maml_bench.adaptation import InnerLoop
from maml_bench.problems import FAMILIES, AdditiveGaussian, RandomPhase
from maml_bench.report.index import write_index
from maml_bench.setting import Setting
from maml_bench.study import Study, rows, run
from maml_bench.verdict import METHODS, check

STUDIES = ("inner-path",)
EXIT_CODES = {"holds": 0, "violated": 1, "inconclusive": 3, "not applicable": 4}
INTERRUPTED = 130


def main() -> None:
    """Entry point: bad input ends with one line and code 2, Ctrl-C with one line and code 130."""
    _guarded(cli)


def run_study_script(study: Study) -> None:
    """Command line of a study's script: the same options as ``maml-bench study``."""
    command = click.Command(
        "study", params=study_command.params[1:], help=f"Run the study {study.name}: {study.title}."
    )
    command.callback = lambda **options: _study(study, **options)
    _guarded(command)


def _guarded(command: click.Command) -> None:
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; finished rows are kept, the same command goes on from there", file=sys.stderr)
        code = INTERRUPTED
    except (ValueError, OverflowError) as error:
        print(f"Error: {error}", file=sys.stderr)
        code = 2
    sys.exit(code or 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
def cli():
    """A testbench for the theory of multi-step MAML.

    Measures the left-hand sides of its statements and compares them with the bounds.
    """


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
workers_option = click.option("--workers", default=1, show_default=True, help="Threads; results do not depend on it.")


@cli.command("claims")
@json_option
def claims_command(as_json):
    """List the claims that can be checked, with their forms."""
    listed = [
        {
            "claim": name,
            "forms": claims.forms(name),
            "measured": claims.get(name, claims.forms(name)[0]).measurement.words,
        }
        for name in claims.names()
    ]
    if as_json:
        click.echo(json.dumps(listed, indent=1))
        return
    terminal.print_table(
        ["claim", "forms", "measured"], [[x["claim"], ", ".join(x["forms"]), x["measured"]] for x in listed]
    )


@cli.command("theory")
@click.argument("name", required=False, metavar="[STATEMENT]")
@click.option("--latex", is_flag=True, help="Formulas in LaTeX.")
@json_option
def theory_command(name, latex, as_json):
    """Print a statement: in words, its hypotheses, all forms, and where each is proved. Without a name: list all."""
    if name is None:
        if as_json:
            click.echo(json.dumps([{"statement": s.name, "title": s.title} for s in STATEMENTS.values()], indent=1))
        else:
            terminal.print_table(["statement", "what it is about"], [[s.name, s.title] for s in STATEMENTS.values()])
        return
    chosen = statement(name)
    if as_json:
        click.echo(json.dumps(terminal.statement_as_dict(chosen), indent=1))
    else:
        click.echo(terminal.statement_text(chosen, latex))


@cli.command("check")
@click.argument("claim")
@click.option("--form", default="sharp", show_default=True, help="Form of the bound: see `maml-bench claims`.")
@click.option("--family", default="quadratic", show_default=True, help=f"Problem family: {', '.join(FAMILIES)}.")
@click.option("--dim", default=5, show_default=True, help="Dimension d.")
@click.option("--tasks", default=1, show_default=True, help="Number of tasks.")
@click.option("--problem-seed", default=0, show_default=True, help="Seed of the random tasks.")
@click.option("--noise", type=click.Choice(["additive", "random-phase", "none"]), default="additive", show_default=True)
@click.option("--sigma-g", default=1.0, show_default=True, help="Noise of one additive gradient sample.")
@click.option("--amplitude", default=1.0, show_default=True, help="Amplitude of the random-phase noise.")
@click.option("--kappa", default=1.0, show_default=True, help="Frequency of the random-phase noise.")
@click.option("--point", default=1.0, show_default=True, help="Every coordinate of the meta parameter w.")
@click.option("--alpha", default=0.05, show_default=True, help="Inner step size.")
@click.option("--steps", default=4, show_default=True, help="Inner steps N.")
@click.option("--S", "S", default=1, show_default=True, help="Samples per inner gradient.")
@click.option("--D", "D", default=1, show_default=True, help="Samples per inner Hessian.")
@click.option("--T", "T", default=1, show_default=True, help="Samples of the final gradient.")
@click.option("--factor", default=1.0, show_default=True, help="Multiply the bound: how sharp could it be?")
@click.option("--seed", default=0, show_default=True)
@click.option("--confidence", default=0.99, show_default=True)
@click.option("--budget", default=1_000_000, show_default=True, help="Most replicates to draw.")
@click.option("--seconds", default=math.inf, show_default=True, help="Time to draw them in.")
@click.option(
    "--precision", default=math.inf, show_default=True, help="Draw on until limits are this close (relative)."
)
@click.option("--method", type=click.Choice(METHODS), default="auto", show_default=True)
@workers_option
@json_option
def check_command(
    claim, form, as_json, factor, seed, confidence, budget, seconds, precision, method, workers, **problem
):
    """Check one claim on one problem.

    Exit code: 0 holds, 1 violated, 2 bad input, 3 inconclusive, 4 not applicable.
    """
    verdict = check(
        claims.get(claim, form).scaled(factor),
        _setting(**problem),
        seed=seed,
        confidence=confidence,
        budget=budget,
        seconds=seconds,
        precision=precision,
        method=method,
        workers=workers,
    )
    if as_json:
        click.echo(json.dumps(verdict.as_dict(), indent=1))
    else:
        terminal.print_verdict(verdict)
    return EXIT_CODES[verdict.outcome]


def _setting(
    family, dim, tasks, problem_seed, noise, sigma_g, amplitude, kappa, point, alpha, steps, S, D, T
) -> Setting:
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    problem = FAMILIES[family].random(dim, tasks, problem_seed)
    if noise == "additive":
        problem = problem.with_noise(AdditiveGaussian(sigma_g))
    elif noise == "random-phase":
        problem = problem.with_noise(RandomPhase(amplitude, kappa))
    return Setting(problem, np.full(problem.dim, point), InnerLoop(alpha, steps, S=S, D=D, T=T))


@cli.command("study")
@click.argument("name")
@click.option("--quick", is_flag=True, help="Fewer cells and smaller budgets: a look in well under a minute.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Reports go here."
)
@click.option("--seed", default=0, show_default=True)
@workers_option
@json_option
def study_command(name, **options):
    """Run the study NAME and write its report. A run that was stopped goes on where it was."""
    _study(load_study(name), **options)


@cli.command("report")
@click.option("--quick", is_flag=True, help="Fewer cells and smaller budgets.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Reports go here."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Threads; results do not depend on it.")
def report_command(quick, output, seed, workers):
    """Run all studies and write reports/index.html."""
    for name in STUDIES:
        _study(load_study(name), quick=quick, output=output, seed=seed, workers=workers, as_json=False)


def load_study(name: str) -> Study:
    """The study called ``name``, from ``studies/``.

    Raises
    ------
    ValueError
        If there is none; lists those there are.
    """
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}; known: {', '.join(STUDIES)}")
    return importlib.import_module(f"studies.{name.replace('-', '_')}").STUDY


def _study(study: Study, *, quick: bool, output: Path, seed: int, workers: int, as_json: bool) -> None:
    directory = output / study.name
    console = Console(stderr=True)
    findings = []
    found = run(study, directory, quick=quick, seed=seed, workers=workers)
    for finding in terminal.progress(found, rows(study, quick), study.name, console):
        findings.append(finding)
        if as_json:
            click.echo(json.dumps(finding.row()))
    (directory / "report.md").write_text(study.tell(findings, directory))
    index = write_index(output, STUDIES)
    if not as_json:
        terminal.print_findings(study, findings)
        click.echo(f"report: {directory / 'report.md'}\nall reports: {index}")


if __name__ == "__main__":
    main()
