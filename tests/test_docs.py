"""Every command and snippet of the README and the documentation is run, and prints what stands there."""

import doctest
import re
import shlex
import sys
from pathlib import Path

import pytest

from maml_bench.cli.commands import main

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(language: str) -> list:
    """(page, text) of every fenced block of a language."""
    found = [
        (page, text) for page in PAGES for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    return [pytest.param(*pair, id=f"{pair[0].stem}-{i}") for i, pair in enumerate(found)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=lambda page: page.stem
)
def test_snippets(page):
    text = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test)
    assert runner.summarize().failed == 0


@pytest.mark.parametrize(("page", "text"), blocks("console"))
def test_commands(page, text, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command, expected in re.findall(r"^\$ (.*?)(?:\s+#.*)?\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        words = shlex.split(command)
        if words[0] == "make":
            assert f"\n{words[1]}:" in MAKEFILE
            continue
        assert words[0] == "maml-bench"
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr().out
        assert doctest.OutputChecker().check_output(expected, printed, FLAGS), f"{command}\n{printed}"


def test_the_readmes_tables_are_those_of_the_committed_findings():
    import readme

    text = (ROOT / "README.md").read_text()
    assert readme.renewed(text, ROOT / "reports") == text
    for file in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / file).exists(), file


def test_the_readme_begins_with_ten_lines():
    start = (ROOT / "README.md").read_text().split("<!-- start -->\n")[1].split("\n\n")[0]
    assert len(start.splitlines()) <= 10
