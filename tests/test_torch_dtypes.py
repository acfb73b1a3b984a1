"""Every dtype of PyTorch in every place gives the result of a dtype with full support, even if it
lacks operations.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import dice_any

torch = pytest.importorskip("torch")

INTEGERS = [
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.uint32,
    torch.uint64,
]
NARROW = [getattr(torch, name) for name in dir(torch) if name.startswith("float8")]
FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64, *NARROW]
X = torch.rand(3, 8, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 3, (8,), generator=torch.Generator().manual_seed(1))
W = torch.tensor([1.0, 2, 0, 1, 4, 1, 1, 2])
LOGITS = {"class_axis": 0, "activation": "softmax"}

#: name -> a call with labels of a type
LABELS: dict[str, Callable[[torch.Tensor], object]] = {
    "memberships": lambda y: dice_any.dice_score(X, y, class_axis=0),
    "ignored": lambda y: dice_any.dice_score(X, y, class_axis=0, ignore_label=1),
    "several ignored": lambda y: dice_any.dice_score(X, y, class_axis=0, ignore_label=(1, 2)),
    "logits": lambda y: dice_any.dice_loss(X, y, **LOGITS),
    "cross-entropy": lambda y: dice_any.dice_cross_entropy_loss(X, y, **LOGITS),
    "Lovász": lambda y: dice_any.lovasz_loss(X, y, **LOGITS),
    "gradient": lambda y: dice_any.value_and_grad(dice_any.dice_loss)(X, y, **LOGITS)[1],
    "argmax": lambda y: dice_any.dice_score(X, y, class_axis=0, activation="argmax"),
    "label maps": lambda y: dice_any.dice_score(y, Y.flip(0).to(y.dtype), num_classes=3),
    "matrix": lambda y: dice_any.confusion_matrix(y, Y.flip(0).to(y.dtype), num_classes=3),
    "ids": lambda y: dice_any.dice_score(dice_any.set_overlap(y, y)),
}
WEIGHTS: dict[str, Callable[[torch.Tensor], object]] = {
    "memberships": lambda w: dice_any.dice_score(X, Y, class_axis=0, weight=w),
    "plain": lambda w: dice_any.dice_loss(X, Y, class_axis=0, weight=w),
    "label maps": lambda w: dice_any.dice_score(Y, Y.flip(0), num_classes=3, weight=w),
    "masks": lambda w: dice_any.dice_score(Y > 0, Y.flip(0) > 0, weight=w),
}
PREDICTIONS: dict[str, Callable[[torch.Tensor], object]] = {
    "labels": lambda x: dice_any.dice_score(x, Y, class_axis=0),
    "itself": lambda x: dice_any.dice_score(x, x, axis=1),
    "plain": lambda x: dice_any.dice_loss(x, Y, class_axis=0),
    "logits": lambda x: dice_any.dice_loss(x, Y, **LOGITS),
    "gradient": lambda x: dice_any.value_and_grad(dice_any.dice_loss)(x, Y, class_axis=0)[0],
    "Lovász": lambda x: dice_any.lovasz_loss(x, Y, class_axis=0),
    "argmax": lambda x: dice_any.dice_score(x, Y, class_axis=0, activation="argmax"),
    "pairs": lambda x: dice_any.dice_score(dice_any.pairwise_overlap(x, x)),
    "plain pairs": lambda x: dice_any.dice_score(dice_any.pairwise_overlap(x, x, exact=False)),
}


PACKED = ["float4_e2m1fn_x2", "uint4", "int3", "uint1", "bits8", "bits1x8"]


@pytest.mark.parametrize("dtype", [name for name in PACKED if hasattr(torch, name)])
@pytest.mark.parametrize("function", [dice_any.dice_score, dice_any.dice_loss, dice_any.overlap])
def test_what_pytorch_stores_and_cannot_compute_with(
    function: Callable[..., object], dtype: str
) -> None:
    x = torch.zeros(4, dtype=torch.uint8).view(getattr(torch, dtype))
    got = f"got {dtype}" + ", of less than a byte" * ("int" in dtype)
    with pytest.raises(TypeError, match=rf"`prediction` must be .*; {got}\. .* unpack them"):
        function(x, x)
    with pytest.raises(TypeError, match=rf"`weight` must be .*; {got}\. .* unpack them"):
        function(X[0, :4], X[1, :4], weight=x)


def same(got: torch.Tensor, right: torch.Tensor) -> bool:
    return torch.allclose(got.to(torch.float64), right.to(torch.float64), rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("name", LABELS)
def test_labels(name: str, dtype: torch.dtype) -> None:
    assert same(LABELS[name](Y.to(dtype)), LABELS[name](Y))


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATING], ids=str)
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str, dtype: torch.dtype) -> None:
    if dtype == getattr(torch, "float8_e8m0fnu", None):
        pytest.skip("has no 0")
    assert same(WEIGHTS[name](W.to(dtype)), WEIGHTS[name](W))


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions(name: str, dtype: torch.dtype) -> None:
    x = X.to(dtype)
    assert same(PREDICTIONS[name](x), PREDICTIONS[name](x.to(torch.float32)))


#: value -> what it counts as; None: an error
BOUNDS = {
    -0.0: 0.0,
    0.25: 0.25,
    -(2.0**-24): 0.0,
    1.0: 1.0,
    1.0 + 2.0**-21: 1.0,
    -(2.0**-4): None,
    1.25: None,
    float("inf"): None,
    float("-inf"): None,
    float("nan"): None,
    -float("nan"): None,
}


@pytest.mark.parametrize("dtype", FLOATING[:4], ids=str)
@pytest.mark.parametrize("value", BOUNDS, ids=str)
@pytest.mark.parametrize("place", ["prediction", "target"])
@pytest.mark.parametrize("score", [dice_any.dice_score, dice_any.dice_loss])
def test_memberships_at_their_bounds(
    score: Callable[..., torch.Tensor], place: str, value: float, dtype: torch.dtype
) -> None:
    own, other = (
        torch.tensor(each, dtype=torch.float64) for each in ([0.5, value, 1.0], [1.0, 1.0, 0.5])
    )
    pair = [own, other] if place == "prediction" else [other, own]
    pair = [each.to(dtype) for each in pair]
    meant = BOUNDS[value]
    if meant is None:
        with pytest.raises(ValueError, match=f"`{place}`"):
            score(*pair)
        return
    # 2·(0.5 + v + 0.5) / ((1.5 + v) + 2.5), smoothed by 1 in a loss
    smooth = float(score is dice_any.dice_loss)
    expected = (2 * (1 + meant) + smooth) / (4 + meant + smooth)
    found = score(*pair)
    got = 1 - found.item() if smooth else found.item()
    assert got == pytest.approx(expected, rel=4 * torch.finfo(found.dtype).eps)
