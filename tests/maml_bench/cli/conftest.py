"""The command line, run in this process."""

import sys
from dataclasses import dataclass

import pytest

from maml_bench.cli.commands import main


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def _survivor(monkeypatch):
    """What runs out of time ends its process, which must not be this one."""
    monkeypatch.setattr("maml_bench.cli.ending.end", lambda code: None)


@pytest.fixture
def bench(capsys, monkeypatch):
    """Run the command line in this process, 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["maml-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(ended.value.code, printed.out, printed.err)

    return run
