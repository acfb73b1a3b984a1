"""Every loss preset against the package of its name: default numbers to 1e-6."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from peers import (
    CLASSES,
    IGNORED,
    compound_losses,
    dice,
    jnp,
    keras,
    kornia,
    label_maps,
    logits,
    monai,
    one_hot,
    optax,
    smp_losses,
    torch,
)

from dice_any import conventions, dice_loss, jaccard_loss, tversky_loss

pytestmark = pytest.mark.filterwarnings("ignore")
Tensor = torch.Tensor
Peer = Callable[[Tensor, Tensor, "int | None"], object]


def of_monai(loss: type, **arguments: object) -> Peer:
    def peer(z: Tensor, y: Tensor, ignored: int | None) -> object:
        return loss(to_onehot_y=True, softmax=True, ignore_index=ignored, **arguments)(
            z, y[:, None]
        )

    return peer


def of_smp(loss: type) -> Peer:
    return lambda z, y, ignored: loss("multiclass", ignore_index=ignored)(z, y)


def of_nnunet(**arguments: object) -> Peer:
    """Return 1 + the Dice term of `nnUNetTrainer._build_loss`."""

    def peer(z: Tensor, y: Tensor, ignored: int | None) -> object:
        soft_dice = {"smooth": 1e-5, "do_bg": False, "ddp": False, **arguments}
        return 1 + compound_losses.DC_and_CE_loss(
            soft_dice,
            {},
            weight_ce=0,
            ignore_label=ignored,
            dice_class=dice.MemoryEfficientSoftDiceLoss,
        )(z, y[:, None])

    return peer


def of_kornia(loss: Callable[..., Tensor], **arguments: object) -> Peer:
    return lambda z, y, ignored: loss(z, y, ignore_index=ignored, **arguments)


def of_keras(loss: Callable[..., Tensor]) -> Peer:
    return lambda z, y, ignored: loss(one_hot(y, z.shape[1]).float(), torch.softmax(z, 1))


def of_optax(z: Tensor, y: Tensor, ignored: int | None) -> object:
    z, y = (jnp.asarray(a.movedim(1, -1).float().numpy()) for a in (z, one_hot(y, z.shape[1])))
    return optax.losses.dice_loss(z, y).mean()


#: preset -> our loss, the peer's, whether the peer can ignore a label
LOSSES: dict[str, tuple[Callable[..., Tensor], Peer, bool]] = {
    "monai": (dice_loss, of_monai(monai.losses.DiceLoss), True),
    "monai_batch": (dice_loss, of_monai(monai.losses.DiceLoss, batch=True), True),
    "monai_jaccard": (jaccard_loss, of_monai(monai.losses.DiceLoss, jaccard=True), True),
    "monai_tversky": (tversky_loss, of_monai(monai.losses.TverskyLoss), True),
    "smp": (dice_loss, of_smp(smp_losses.DiceLoss), True),
    "smp, jaccard": (jaccard_loss, of_smp(smp_losses.JaccardLoss), True),
    "smp_tversky": (tversky_loss, of_smp(smp_losses.TverskyLoss), True),
    "nnunet": (dice_loss, of_nnunet(batch_dice=False), True),
    "nnunet_batch": (dice_loss, of_nnunet(batch_dice=True), True),
    "kornia": (dice_loss, of_kornia(kornia.losses.dice_loss), True),
    "keras": (dice_loss, of_keras(keras.losses.dice), False),
    "keras_tversky": (tversky_loss, of_keras(keras.losses.tversky), False),
    "optax": (dice_loss, of_optax, False),
    "optax_tversky": (tversky_loss, of_optax, False),
}


def preset(name: str) -> dict[str, object]:
    return {
        "class_axis": 1,
        "activation": "softmax",
        **getattr(conventions, name.partition(",")[0]),
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LOSSES)
def test_defaults(name: str, seed: int) -> None:
    ours, theirs, _ = LOSSES[name]
    z, y = logits(seed), label_maps(seed)
    assert float(ours(z, y, **preset(name))) == pytest.approx(float(theirs(z, y, None)), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [name for name, (*_, ignores) in LOSSES.items() if ignores])
def test_ignored_pixels(name: str, seed: int) -> None:
    ours, theirs, _ = LOSSES[name]
    z, y = logits(seed), label_maps(seed, ignoring=True)
    got = float(ours(z, y, ignore_label=IGNORED, **preset(name)))
    assert got == pytest.approx(float(theirs(z, y, IGNORED)), abs=1e-6)


@pytest.mark.parametrize("name", [name for name in LOSSES if "optax" not in name])
def test_gradients(name: str) -> None:
    ours, theirs, _ = LOSSES[name]
    y = label_maps(0)
    a, b = logits(0).requires_grad_(), logits(0).requires_grad_()
    ours(a, y, **preset(name)).backward()
    theirs(b, y, None).backward()
    assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("monai", monai.losses.DiceLoss(sigmoid=True)),
        ("smp", smp_losses.DiceLoss("multilabel")),
        ("keras", lambda z, t: keras.losses.dice(t, torch.sigmoid(z))),
    ],
)
def test_labels_that_overlap(name: str, theirs: Callable[..., Tensor]) -> None:
    z, target = logits(0), one_hot(label_maps(0)) | one_hot(label_maps(7))
    got = float(dice_loss(z, target, **preset(name) | {"activation": "sigmoid"}))
    assert got == pytest.approx(float(theirs(z, target.float())), abs=1e-6)


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("loss", ["dice", "tversky"])
def test_kornia_macro_sample_by_sample(loss: str, ignoring: bool) -> None:
    """Kornia averages first over the classes of a sample, then over samples; we average over all
    pairs of sample and class.
    """
    weights = {"alpha": 0.25, "beta": 0.75} if loss == "tversky" else {}
    ours, arguments = (
        (dice_loss, {"average": "macro"}) if loss == "dice" else (tversky_loss, weights)
    )
    theirs = of_kornia(getattr(kornia.losses, f"{loss}_loss"), **arguments)
    z, y = logits(0), label_maps(0, ignoring=ignoring)
    known = {"ignore_label": IGNORED} if ignoring else {}
    for n in range(len(z)):
        expected = float(theirs(z[n : n + 1], y[n : n + 1], IGNORED))
        if (y[n] == IGNORED).all():
            assert expected == 1  # nothing to learn from, and yet the highest loss; ours is 0
            expected = 0
        got = ours(z[n : n + 1], y[n : n + 1], **preset("kornia_macro"), **weights, **known)
        assert float(got) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("monai", 0.653),
        ("smp", 0.320),
        ("nnunet", 0.779),
        ("kornia", 0.545),
        ("keras", 0.545),
        ("optax", 0.314),
    ],
)
def test_the_example_of_the_page(name: str, printed: float) -> None:
    """The packages themselves give the numbers that docs/conventions.md prints of ours."""
    z = torch.tensor([[[2.0, 1, 0, 0], [0, 2, 1, 0], [0, 0, 0, 1]]])
    y = torch.tensor([[0, 0, 1, 1]])
    assert round(float(LOSSES[name][1](z[:, :, None], y[:, None], None)), 3) == printed


def test_both_empty() -> None:
    nothing = torch.zeros(2, 1, 4, 4)
    for name, theirs, expected in (
        ("monai", monai.losses.DiceLoss()(nothing, nothing), 0),
        ("smp", smp_losses.DiceLoss("multilabel", from_logits=False)(nothing, nothing), 0),
        ("keras", keras.losses.dice(nothing, nothing), 1),
    ):
        got = dice_loss(nothing, nothing, **preset(name) | {"activation": None})
        assert float(got) == float(theirs) == expected


@pytest.mark.parametrize("name", ["monai", "monai_batch", "nnunet", "optax"])
def test_one_class_everywhere(name: str) -> None:
    ours, theirs, _ = LOSSES[name]
    z, y = logits(3), torch.full_like(label_maps(0), CLASSES - 1)
    assert float(ours(z, y, **preset(name))) == pytest.approx(float(theirs(z, y, None)), abs=1e-6)
