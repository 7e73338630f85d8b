import json

from maml_bench.study.findings import Finding, FindingsFile
from maml_bench.study.site import write_index
from maml_bench.study.tables import markdown_table, number, outcome_table, select
from maml_bench.verdict import Verdict


def finding(key="a", outcome="holds", ratio=0.5, **parameters):
    verdict = Verdict("prop2-first", "sharp", outcome, value=1.0, lower=0.5, upper=1.5, bound=2.0, ratio=ratio)
    return Finding(key, "study", "problem", parameters, verdict, 10, {})


def test_rows_survive_json():
    original = finding(N=3, label="x")
    assert Finding.from_row(json.loads(json.dumps(original.row()))) == original


def test_rows_are_strict_json_even_without_a_number():
    row = finding(ratio=float("nan")).row()
    assert json.loads(json.dumps(row, allow_nan=False))["ratio"] is None


def test_file_passes_over_torn_and_foreign_lines(tmp_path):
    file = FindingsFile(tmp_path / "deep" / "findings.jsonl")
    file.replace([finding("a")])
    file.append([finding("b")])
    with file.path.open("a") as stream:
        stream.write('{"key": 1}\n[]\n\n{"key": "c", "stu')
    assert list(file.load()) == ["a", "b"]


def test_select_by_parameter():
    rows = [finding(N=1), finding(N=2)]
    assert select(rows, "prop2-first", N=2) == rows[1:]
    assert select(rows, "prop2-first", form="paper") == []


def test_tables():
    assert number(float("nan")) == "–"
    assert markdown_table(["name", "x"], [["a", 1 / 3]]) == "| name | x |\n| --- | ---: |\n| a | 0.333 |\n"
    table = outcome_table([finding(), finding(outcome="violated", ratio=2.0)])
    assert "| prop2-first, sharp | 1 | 0 | 1 | 0 | 0 | 0 | 0.5 | 2 |" in table


def test_index_holds_the_reports_with_formulas_tables_and_figures(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "report.md").write_text("# One\n\nof $x^2$ & <b>\n\n| a |\n| --- |\n| 1 |\n\n![f](f.svg)\n")
    page = write_index(tmp_path, ["one", "absent"]).read_text()
    assert "<math" in page
    assert "<td>1</td>" in page
    assert 'src="one/f.svg"' in page
    assert "absent" not in page
    assert "&amp; <b>" in page
