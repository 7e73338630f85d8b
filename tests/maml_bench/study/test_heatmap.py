"""Heat maps: a cell for each pair, its number in it, and words for those who cannot see it."""

import xml.etree.ElementTree as ET

import pytest

from maml_bench.study import HeatMap
from maml_bench.study.findings import frame
from maml_bench.study.heatmap import draw

TABLE = frame(
    {"claim": "prop6", "bound_words": words, "problem": problem, "ratio": ratio, "outcome": "holds"}
    for words, problem, ratio in (("a", "d = 1", 1.0), ("a", "d = 2", 0.25), ("a", "d = 2", 0.5), ("b", "d = 2", None))
)


def test_every_number_is_in_its_cell_and_the_largest_counts():
    (panel,) = draw(HeatMap("bound_words", "problem", claim="largest ratio"), TABLE, "study-map")
    texts = [element.text for element in ET.fromstring(panel.svg).iter() if element.tag.endswith("text")]
    assert {"1", "0.5", "d = 1", "d = 2", "a"} <= set(texts)
    assert not {"0.25", "b"} & set(texts)
    assert panel.svg.count("opacity: 0.38") == 1
    assert panel.words == "largest ratio, for 1 values of bound_words and 2 of problem: from 0.5 to 1."


def test_a_map_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no finding has claim"):
        draw(HeatMap("bound_words", "problem", where={"claim": "prop1"}), TABLE, "study-map")
