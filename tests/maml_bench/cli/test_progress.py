"""How studies come along: on 80 columns where someone watches, in plain lines where nobody does."""

import io
from types import SimpleNamespace

from rich.console import Console

from maml_bench.cli.progress import Progress
from maml_bench.cli.studies import STUDIES


def test_the_bar_fits_80_columns_whatever_the_study(monkeypatch):
    monkeypatch.setattr("maml_bench.cli.progress.time", SimpleNamespace(monotonic=lambda: 100.0))
    for name in STUDIES:
        console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
        with Progress(console, [100] * 17) as progress:
            progress.start = 0.0
            for study in range(12):
                progress.begin(name)
                for _ in range(100 if study else 1):
                    progress.advance(1)
            rendered = Console(file=io.StringIO(), width=80)
            rendered.print(progress.bar.get_renderable())
        (line,) = rendered.file.getvalue().splitlines()
        assert line.startswith(f"study 12 of 17: {name} ")
        assert "1101/1700" in line
        assert "11.0/s " in line
        assert line.rstrip().endswith(" 1101 viol.")


def test_plain_lines_tell_study_rate_and_time_left(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    file = io.StringIO()
    with Progress(Console(file=file), [3, 5]) as progress:
        progress.begin("first")
        for _ in range(3):
            progress.advance(0)
        progress.begin("second")
    lines = file.getvalue().splitlines()
    assert lines[0] == "study 1 of 2: first, 0 of 8 cases"
    assert lines[-1].startswith("study 2 of 2: second, 3 of 8 cases, 0.")
    assert lines[-1].endswith(" s left")
    assert len(lines) > 2
