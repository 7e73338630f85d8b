"""What ``--json`` prints is what the documentation says: every output is put to docs/json-schema.json."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from analytic import STATEMENTS, statement
from maml_bench import InnerLoop, Setting, audit, check, measure
from maml_bench.cli.commands import cli
from maml_bench.power import power
from maml_bench.problems import FAMILIES, AdditiveGaussian
from maml_bench.study import findings

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "json-schema.json").read_text())
PROBLEM = ("--family", "trigonometric", "--dim", 2, "--tasks", 2)
RUNS = [
    ("claims", ["claims"], 0),
    ("statements", ["theory"], 0),
    ("theory", ["theory", "prop6"], 0),
    ("check", ["check", "prop2-second"], 0),
    ("check", ["check", "prop2-second", "--factor", 0.5], 1),
    ("check", ["check", "prop2-first", "--budget", 1], 3),
    ("check", ["check", "prop7-spectral"], 4),
    ("check", ["check", "prop1", *PROBLEM], 0),
    ("measure", ["measure", "hessian-bias", "--hessian", "zo"], 0),
    ("power", ["power", "prop2-first", "--runs", 2, "--budget", 500], 0),
    ("train", ["train", *PROBLEM, "--iterations", 3, "--beta", 0.01, "--replicates", 2], 0),
    ("train", ["train", "--iterations", 300, "--beta", 1e6, "--replicates", 2], 1),
    ("audit", ["audit", "--dim", 2], 0),
    ("tightness", ["tightness", "lemma-a", "--seconds", 0.5, "--rounds", 1], 0),
]


def refused(word):
    raise ValueError(f"{word} is no JSON")


@pytest.mark.parametrize(
    ("kind", "arguments", "code"), RUNS, ids=lambda x: " ".join(map(str, x)) if isinstance(x, list) else str(x)
)
def test_the_output_is_as_documented(bench, tmp_path, monkeypatch, kind, arguments, code):
    monkeypatch.chdir(tmp_path)
    done = bench(*arguments, "--json")
    assert done.returncode == code
    document = json.loads(done.stdout, parse_constant=refused)
    jsonschema.validate(document, {**SCHEMA, "$ref": f"#/$defs/{kind}"})


SMALL = Path(__file__).parents[1] / "study" / "small_study.py"


def documents(text):
    return [json.loads(line, parse_constant=refused) for line in text.splitlines()]


def test_rows_of_a_study_are_as_documented(bench, tmp_path):
    printed = documents(bench("study", SMALL, "--quick", "--output", tmp_path, "--json").stdout)
    stored = documents((tmp_path / "small" / "findings.jsonl").read_text())
    assert printed == stored and len(printed) == 18
    (again,) = documents(bench("study", SMALL, "--quick", "--row", printed[-1]["key"], "--json").stdout)[-1:]
    assert {**again, "seconds": 0} == {**printed[-1], "seconds": 0}
    for row in printed:
        jsonschema.validate(row, {**SCHEMA, "$ref": "#/$defs/finding"})
    assert set(SCHEMA["$defs"]["finding"]["properties"]) == set(findings.COLUMNS)


def without(found, *names):
    return {name: value for name, value in found.items() if name not in names}


def test_what_is_printed_is_what_python_has(bench):
    options = {"budget": 500, "seed": 3, "confidence": 0.9}
    typed = [*PROBLEM, *(word for name, value in options.items() for word in (f"--{name}", value)), "--json"]
    tasks = FAMILIES["trigonometric"].random(2, 2, 0).with_noise(AdditiveGaussian(1.0))
    setting = Setting(tasks, np.ones(2), InnerLoop(0.05, 4))
    printed = json.loads(bench("check", "prop2-first", "--form", "paper", *typed).stdout)
    own = check("prop2-first", setting, form="paper", **options)
    assert without(printed, "seconds") == without(own.as_dict(), "seconds")
    printed = json.loads(bench("measure", "path-drift", *typed).stdout)
    own = measure("path-drift", setting, **options)
    assert without(printed, "seconds") == without(own.as_dict(), "seconds")
    printed = json.loads(bench("power", "prop2-first", "--runs", 3, *typed).stdout)
    own = power("prop2-first", setting, runs=3, **options)
    assert (printed["noticed"], printed["confirmed"]) == (own.noticed.tolist(), own.confirmed.tolist())
    for point in printed["curve"]:
        assert point["violated"] == vars(own.violated(point["factor"]))
        assert point["holds"] == vars(own.holds(point["factor"]))
    printed = json.loads(bench("audit", *PROBLEM, "--seed", 3, "--json").stdout)
    own = audit(tasks, seed=3)
    assert without(printed, "seconds", "constants", "rows") == without(own.as_dict(), "seconds", "constants", "rows")
    assert [row["found"] for row in printed["rows"]] == [
        row.found if row.found == row.found else None for row in own.rows
    ]
    printed = json.loads(bench("theory", "prop2-second", "--json").stdout)
    own = statement("prop2-second")
    assert {name: form["constants"] for name, form in printed["forms"].items()} == {
        name: list(bound.arguments) for name, bound in own.forms.items()
    }
    assert json.loads(bench("theory", "--json").stdout) == [
        {"statement": name, "title": known.title} for name, known in STATEMENTS.items()
    ]


def test_every_command_that_prints_json_is_put_to_the_schema():
    printing = {name for name, command in cli.commands.items() if any(p.name == "as_json" for p in command.params)}
    assert printing == {arguments[0] for _, arguments, _ in RUNS} | {"study"}


def test_every_document_is_described_and_nothing_may_be_added():
    for name, schema in SCHEMA["$defs"].items():
        fields = schema.get("items", schema)
        assert schema["description"], name
        if name != "finding":
            assert fields["additionalProperties"] is False
            assert fields["required"] == list(fields["properties"])
        assert all("description" in field or "$ref" in field for field in fields["properties"].values())
    assert {kind for kind, _, _ in RUNS} == set(SCHEMA["$defs"]) - {"rate", "row", "finding"}
