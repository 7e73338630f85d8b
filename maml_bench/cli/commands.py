"""The command line: ``maml-bench claims | theory | check | measure | new | train | power | audit | study | report``.

A command imports what it needs when it runs: ``--help`` waits for none of NumPy, SymPy, SciPy and Matplotlib.
"""

import errno
import math
import os
import sys
import textwrap
from functools import partial
from pathlib import Path

import click

from maml_bench.cli.options import (
    claim_options,
    effort_options,
    json_option,
    problem_options,
    setting_options,
    study_options,
    workers_options,
)
from maml_bench.cli.studies import INTERRUPTED, STUDIES, conduct, redo

EXIT_CODES = {"holds": 0, "not refuted": 0, "violated": 1, "inconclusive": 3, "not applicable": 4}
CLOSED_PIPE = 141
"""As a shell has it for a program that nobody listens to: not one of the outcomes."""
COUNTEREXAMPLES = Path("build/counterexamples")


def main() -> None:
    """Entry point: bad input ends with one line and code 2, Ctrl-C with one line and code 130."""
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # no command exits by itself: click and rich do, when a pipe is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CLOSED_PIPE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; nothing is kept", file=sys.stderr)
        code = INTERRUPTED
    except OverflowError as error:
        print(f"Error: a number leaves the range of floating point here: {error.args[-1]}", file=sys.stderr)
        code = 2
    except (ValueError, OSError, MemoryError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG) and not error.filename
        print(f"Error: {error}{': standard output' if full else ''}", file=sys.stderr)
        _hint(str(error))
        code = 2
    except Exception as error:
        from maml_bench.files import blame

        if (words := blame(error)) is None:
            raise  # ours: a traceback is what we need to be told
        print(f"Error: {words}", file=sys.stderr)
        code = 2
    sys.exit(code or 0)


def _hint(reason: str) -> None:
    """Say which options give what is lacking, if they do."""
    if " needs " in reason:
        from maml_bench.cli.setting import options_for

        if options := options_for(reason):
            print(f"on the command line: {options}", file=sys.stderr)


def _version(context: click.Context, _, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from maml_bench.study import findings

        click.echo(f"{findings.versions()}" + (f", commit {findings.commit()}" if findings.commit() else ""))
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def cli():
    """A testbench for the theory of multi-step MAML.

    Measures the left-hand sides of its statements and compares them with the bounds.
    """


@cli.command("claims")
@json_option
def claims_command(as_json):
    """List the claims that can be checked, with their forms."""
    from maml_bench import claims
    from maml_bench.cli import terminal

    listed = [
        {
            "claim": name,
            "forms": claims.forms(name),
            "measured": claims.get(name).measurement.words,
        }
        for name in claims.names()
    ]
    if as_json:
        terminal.print_json(listed)
        return
    terminal.print_table(
        ["claim", "forms", "measured"], [[x["claim"], ", ".join(x["forms"]), x["measured"]] for x in listed]
    )


@cli.command("theory")
@click.argument("name", required=False, metavar="[STATEMENT]")
@click.option("--latex", is_flag=True, help="Formulas in LaTeX.")
@json_option
def theory_command(name, latex, as_json):
    """Print a statement, or list all there are.

    In words, with its hypotheses, all its forms, and where each is proved.
    """
    from analytic import STATEMENTS, statement
    from maml_bench.cli import terminal

    if name is None:
        if as_json:
            terminal.print_json([{"statement": s.name, "title": s.title} for s in STATEMENTS.values()])
        else:
            terminal.print_table(["statement", "what it is about"], [[s.name, s.title] for s in STATEMENTS.values()])
        return
    chosen = statement(name)
    if as_json:
        terminal.print_json(terminal.statement_as_dict(chosen))
    else:
        click.echo(terminal.statement_text(chosen, latex))


@cli.command("check")
@claim_options
@setting_options
@click.option("--factor", default=1.0, show_default=True, help="Multiply the bound: how sharp could it be?")
@partial(effort_options, budget=1_000_000, precision=math.inf)
@workers_options
@json_option
def check_command(claim, form, factor, effort, workers, as_json, **problem):
    """Check one claim on one problem.

    Either may be your own, FILE.py:object.

    Exit code: 0 holds or not refuted, 1 violated, 2 bad input, 3 inconclusive, 4 not applicable.
    """
    from maml_bench.cli import ending, terminal
    from maml_bench.cli.setting import claim_from, setting_from
    from maml_bench.counterexample import write
    from maml_bench.verdict import Outcome, Verdict, check

    def show(verdict):
        if as_json:
            terminal.print_json(verdict.as_dict())
        else:
            terminal.print_verdict(verdict)
            _hint(verdict.reason)
        return EXIT_CODES[verdict.outcome]

    chosen = claim_from(claim, form).scaled(factor)
    known = {name: effort[name] for name in ("seed", "confidence")} | {"factor": factor, "reason": "time spent"}
    late = Verdict(chosen.name, chosen.form, Outcome.INCONCLUSIVE, seconds=2 * effort["seconds"], **known)
    with ending.by(effort["seconds"], lambda: show(late)):
        setting = setting_from(**problem)
        verdict = check(chosen, setting, **effort, workers=workers)
    code = show(verdict)
    if verdict.outcome == "violated":
        try:
            written = write(verdict, chosen, setting, COUNTEREXAMPLES, effort["budget"], effort["seconds"])
            click.echo(f"counterexample, to be replayed: python {written}", err=True)
        except ValueError as error:
            click.echo(f"no counterexample is written: {error}", err=True)
    return code


@cli.command("measure")
@click.argument("quantity")
@setting_options
@partial(effort_options, budget=100_000, precision=0.01)
@workers_options
@json_option
def measure_command(quantity, effort, workers, as_json, **problem):
    """Measure a quantity where no bound is asked for.

    With any Hessian estimator. The quantities: path-error, path-drift, hessian-bias, hessian-variance,
    meta-gradient-bias, meta-gradient-second-moment, meta-gradient-norm, convergence.
    """
    from maml_bench.cli import ending, terminal
    from maml_bench.cli.setting import setting_from
    from maml_bench.measuring import measure

    def give_up():
        print(f"Error: seconds = {effort['seconds']:g}: too short to measure {quantity} at all", file=sys.stderr)
        return 2

    with ending.by(effort["seconds"], give_up):
        found = measure(quantity, setting_from(**problem), **effort, workers=workers)
    if as_json:
        terminal.print_json(found.as_dict())
    else:
        click.echo(str(found))


@cli.command("new")
@click.argument("kind", type=click.Choice(["problem", "estimator", "theorem", "study"]))
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.py")
def new_command(kind, file):
    """Write a commented file to start from, which runs.

    Of a problem, an estimator, a theorem or a study of your own.
    """
    from maml_bench.cli.starting import write

    for line in write(kind, file):
        click.echo(line)


@cli.command("power")
@claim_options
@setting_options
@click.option("--runs", default=20, show_default=True, help="Runs of the check, with seeds from --seed on.")
@partial(effort_options, budget=100_000)
@workers_options
@json_option
def power_command(claim, form, runs, effort, workers, as_json, **problem):
    """How false would the bound have to be before the bench notices?

    Multiplies the bound by factors and tells how often runs of the check say `violated` or `holds`,
    with 95 % intervals.
    """
    from maml_bench.cli import terminal
    from maml_bench.cli.setting import claim_from, setting_from
    from maml_bench.power import power

    chosen = claim_from(claim, form)
    found = power(chosen, setting_from(**problem), runs=runs, **effort, workers=workers)
    if as_json:
        terminal.print_json(terminal.power_as_dict(chosen, found))
    else:
        terminal.print_power(chosen, found)


@cli.command("train")
@setting_options
@click.option("--replicates", default=16, show_default=True, help="Independent runs.")
@click.option("--seed", default=0, show_default=True, help="Seed of the runs.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A file to go on from, and to keep up to date.")
@workers_options
@json_option
def train_command(as_json, replicates, seed, checkpoint, workers, **problem):
    """Run an algorithm many times, and tell how fast it descends.

    How fast does the exact meta gradient fall, and for how many samples? Needs --iterations, and --beta or
    --C-beta. Random quadratic tasks have no minimum, those of --family trigonometric do. Exit code: 0, or 1 if a run
    diverged, 2 bad input.
    """
    from maml_bench.algorithms import train
    from maml_bench.cli import terminal, training
    from maml_bench.cli.setting import setting_from

    if problem["iterations"] is None:
        raise click.UsageError("train needs --iterations")
    with training.meter("meta-iterations") as progress:
        options = {"workers": workers, "checkpoint": checkpoint, "progress": progress}
        run = train(setting_from(**problem), replicates, seed, **options)
    if as_json:
        terminal.print_json(training.run_as_dict(run))
    else:
        training.print_run(run)
    return int(run.diverged.any())


@cli.command("audit")
@problem_options
@click.option("--seed", default=0, show_default=True, help="Seed of the attacks.")
@click.option("--error", default=1e-3, show_default=True, help="Probability that a correct sampler is blamed.")
@click.option("--hessian", help="An estimator to attack, too: a known name or FILE.py:object.")
@json_option
def audit_command(seed, error, hessian, as_json, **problem):
    """Attack what a problem states: derivatives, samples, constants.

    And what an estimator states. Exit code: 0 nothing found, 1 a violation, 2 bad input.
    """
    from maml_bench.auditing import audit
    from maml_bench.cli import terminal
    from maml_bench.cli.setting import estimator_from, tasks_from

    attacked = hessian and estimator_from(hessian, nu=0.01, directions=10, data="resampled")
    found = audit(tasks_from(**problem), seed=seed, error=error, hessian=attacked)
    if as_json:
        terminal.print_json(found.as_dict())
    else:
        terminal.print_audit(found)
    return 0 if found.passed else 1


@cli.command("tightness")
@partial(claim_options, metavar="CLAIM")
@click.option("--alpha-l", type=float, help="Hold alpha L fixed.  [default: searched]")
@click.option("--steps", type=int, help="Hold N fixed.  [default: 1 to 3]")
@click.option("--factor", default=1.0, show_default=True, help="Multiply the bound: would a smaller one be refuted?")
@click.option("--seed", default=0, show_default=True, help="Seed of the search.")
@click.option("--seconds", default=15.0, show_default=True, help="Time to search in.")
@click.option("--rounds", default=4, show_default=True, help="Rounds of random starts in each arena.")
@click.option("--first-round", default=0, show_default=True, help="Go on after an earlier search of so many rounds.")
@click.option("--code", is_flag=True, help="Print the winner as Python code.")
@json_option
def tightness_command(claim, form, factor, seed, code, as_json, **options):
    """Search for the problem that comes nearest to a claim's bound.

    Among all within its hypotheses. The winner is measured again, and its constants audited. Exit code: 0, or 1 if
    the bound is violated.
    """
    from analytic import arguments
    from maml_bench import claims
    from maml_bench.cli import terminal
    from maml_bench.extremal import source, tightness

    def progress(arena, best):
        print(f"{arena}: {best.value:.6g} after {best.evaluations} problems", file=sys.stderr)

    chosen = claims.chosen(claim, form).scaled(factor)
    found = tightness(chosen, seed=arguments.seed(seed), **options, progress=progress)
    if as_json:
        terminal.print_json(found.as_dict())  # the winner is among it
    else:
        click.echo("\n".join(textwrap.fill(line, 80, subsequent_indent="  ") for line in str(found).splitlines()))
        if code:
            click.echo(source(found.setting))
    return EXIT_CODES["violated"] if found.verdict.outcome == "violated" else 0


@cli.command("study")
@click.argument("name", metavar="NAME|FILE.py")
@study_options
@click.option("--row", default="", metavar="KEY", help="Only redo the row of this key and print it.")
@json_option
def study_command(name, row, **options):
    """Run a study and write its report.

    By its name, or from a file that defines STUDY. A run that was stopped goes on where it was. Exit code: 0, or 1
    if a row is violated.
    """
    return redo(name, row, **options) if row else conduct([name], **options)


@cli.command("report")
@study_options
def report_command(**options):
    """Run all studies and write their reports and index.html.

    A run that was stopped goes on where it was. Exit code: 0, or 1 if a row is violated.
    """
    return conduct(STUDIES, **options)


@cli.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--page", type=click.Path(path_type=Path), help="Write the comparison as a page, too.")
def compare_command(before, after, page):
    """Tell what changed between two runs.

    BEFORE and AFTER are folders of reports. Outcomes, values beyond their limits, verdicts that came or went, and
    times. Exit code: 0, or 1 if anything but a time differs.
    """
    from maml_bench.study import compare
    from maml_bench.study.text import save

    found = compare.compare(before, after)
    click.echo(compare.text(found))
    if page:
        save(page, compare.page(found))
    return 1 if found.changed else 0
