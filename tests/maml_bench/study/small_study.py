"""A study of six cells that takes about a second, as a script; tests kill and resume it."""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.cli.commands import run_study_script
from maml_bench.problems import AdditiveGaussian, Quadratic
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import outcome_table


def cells(quick):
    """Two claims (four rows) for each number of steps."""
    tasks = Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0))
    return [
        Cell(
            "concave",
            {"N": steps},
            Setting(tasks, np.ones(3), InnerLoop(0.1, steps)),
            ("prop2-first", "prop2-second"),
            budget=20_000 if quick else 60_000,
            precision=0.001,
        )
        for steps in range(1, 4 if quick else 7)
    ]


def tell(findings, directory):
    """The outcomes."""
    return "# Small\n\n" + outcome_table(findings)


STUDY = Study("small", "a small study", cells, tell)

if __name__ == "__main__":
    run_study_script(STUDY)
