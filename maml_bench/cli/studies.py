"""What ``maml-bench study`` and ``maml-bench report`` do: run studies one after another, and write the page."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maml_bench.files import module

if TYPE_CHECKING:
    from maml_bench.study.run import Study

STUDIES = (
    "summary",
    "inner-path",
    "meta-smoothness",
    "meta-gradient-bias",
    "second-moment",
    "hessian-estimators",
    "smoothing-radius",
    "step-size",
    "finite-sum",
    "tightness",
    "convergence",
    "race",
    "rank-one",
    "sine",
    "navigation",
    "few-shot",
    "calibration",
)
INTERRUPTED = 130


def load_study(name: str) -> "Study":
    """The study of a known name, from ``studies/``, or the ``STUDY`` of a file.

    Raises
    ------
    ValueError
        If there is none; lists those there are.
    """
    from maml_bench.study.run import Study

    if name.endswith(".py"):
        found = _module(Path(name))
    elif name in STUDIES:
        found = importlib.import_module(f"{_home()}.{name.replace('-', '_')}")
    else:
        raise ValueError(f"unknown study {name!r}; known: {', '.join(STUDIES)}, or the path of a FILE.py")
    study = getattr(found, "STUDY", None)
    if not isinstance(study, Study):
        raise ValueError(f"{name}: must define STUDY = Study(...)")
    return study


def _module(path: Path):
    if path.is_file() and path.resolve() == _path_of(path.stem):
        return importlib.import_module(f"{_home()}.{path.stem}")
    return module(path)


def _home() -> str:
    """The package of the studies: inside ours where it is installed, beside it in the repository."""
    return "maml_bench.studies" if importlib.util.find_spec("maml_bench.studies") else "studies"


def _path_of(stem: str) -> Path | None:
    spec = importlib.util.find_spec(_home())
    path = Path(spec.origin).with_name(f"{stem}.py") if spec and spec.origin else None
    return path if path and path.is_file() else None


def template(name: str) -> Path:
    """The Markdown beside a study's file."""
    path = Path(name) if name.endswith(".py") else _path_of(name.replace("-", "_"))
    if path is None:
        raise ValueError(f"unknown study {name!r}; known: {', '.join(STUDIES)}, or the path of a FILE.py")
    return path.with_suffix(".md")


def conduct(names: Sequence[str], output: Path, *, quick: bool, seed: int, workers, as_json: bool = False) -> int:
    """Run studies, write their reports and the page; 1 if a row is violated, 130 if interrupted."""
    from rich.console import Console

    from maml_bench.cli.progress import Progress, print_findings
    from maml_bench.study import record, telling
    from maml_bench.study.findings import frame, locked
    from maml_bench.study.run import jobs, run
    from maml_bench.study.site import write_index

    studies = {name: load_study(name) for name in names}
    violated, progress = 0, Progress(Console(stderr=True), [len(jobs(s, quick, seed)) for s in studies.values()])
    try:
        with progress:
            for name, study in studies.items():
                folder, rows = output / study.name, []
                progress.begin(study.name)
                for found in run(study, folder, quick=quick, seed=seed, workers=workers):
                    rows += found
                    progress.advance(sum(row.get("outcome") == "violated" for row in found))
                    if as_json:
                        click.echo("\n".join(map(json.dumps, found)))
                table = frame(rows)
                violated += int((table["outcome"] == "violated").sum())
                with locked(output, wait=True):  # who writes a page reads what others have told
                    record.write(folder, quick=quick, seed=seed)
                    report = telling.write(study, table, template(name), folder)
                if not as_json:
                    print_findings(study, table)
                    click.echo(f"report: {report}\n")
                if (written := folder / "counterexamples").is_dir() and (table["outcome"] == "violated").any():
                    click.echo(f"counterexamples, scripts to be replayed: {written}", err=True)
        with locked(output, wait=True):
            page = write_index(output, STUDIES)
    except KeyboardInterrupt:
        print(
            f"\ninterrupted; finished cases are kept in {output};\nthe same command goes on from there", file=sys.stderr
        )
        return INTERRUPTED
    if not as_json:
        click.echo(f"all reports: {page}")
    return 1 if violated else 0


def redo(name: str, key: str, *, quick: bool, seed: int, workers, as_json: bool, **_) -> int:
    """Measure the case of one row again, and print what it finds; nothing is written.

    Raises
    ------
    ValueError
        If the study has no such case.
    """
    from maml_bench.study.run import jobs, rows

    study = load_study(name)
    found = [job for job in jobs(study, quick, seed) if job.key == key]
    if not found:
        raise ValueError(
            f"row = {key!r}: {study.name} has no case of this key; keys change with --quick, --seed and the code that "
            "measures"
        )
    measured = rows(study, found[0], workers)
    for row in measured:
        if as_json:
            click.echo(json.dumps(row))
        else:
            words = [f"{row[name]}" for name in ("claim", "form", "quantity", "outcome") if row.get(name)]
            numbers = [
                f"{name} {row[name]:.6g}" for name in ("value", "lower", "upper", "bound", "ratio") if name in row
            ]
            click.echo(f"{', '.join(words)}\n  {', '.join(numbers)}")
    return 1 if any(row.get("outcome") == "violated" for row in measured) else 0
