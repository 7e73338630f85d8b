"""What ``--json`` prints is what the documentation says: every output is put to docs/json-schema.json."""

import json
from pathlib import Path

import jsonschema
import pytest

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


def test_every_document_is_described_and_nothing_may_be_added():
    for name, schema in SCHEMA["$defs"].items():
        fields = schema.get("items", schema)
        assert schema["description"], name
        assert fields["additionalProperties"] is False
        assert fields["required"] == list(fields["properties"])
    assert {kind for kind, _, _ in RUNS} == set(SCHEMA["$defs"]) - {"rate", "row"}
