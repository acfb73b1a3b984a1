"""ndonnx: a score becomes an ONNX graph that onnxruntime runs to the same bits."""

from __future__ import annotations

import pytest

import dice_any
from dice_any.testing import recipe

ndx = pytest.importorskip("ndonnx")
onnxruntime = pytest.importorskip("onnxruntime")


def test_a_score_runs_in_onnxruntime() -> None:
    x, y = recipe.memberships(1, (3, 50)), recipe.labels(3, 50, 3)
    inputs = {
        "x": ndx.argument(shape=(3, 50), dtype=ndx.float32),
        "y": ndx.argument(shape=(50,), dtype=ndx.int64),
    }
    score = dice_any.dice_score(inputs["x"], inputs["y"], class_axis=0, average="macro")
    model = ndx.build(inputs, {"score": score})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [node.name for node in session.get_inputs()]
    feeds = dict(zip(sorted(names), (x, y), strict=True))
    (got,) = session.run(None, feeds)
    assert float(got) == float(dice_any.dice_score(x, y, class_axis=0, average="macro"))


def test_unknown_lengths_are_refused() -> None:
    x = ndx.argument(shape=("n",), dtype=ndx.float32)
    with pytest.raises(ValueError, match="`prediction` must have a known shape"):
        dice_any.dice_score(x, x)
