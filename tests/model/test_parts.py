"""What holds for every network, loss, penalty and average; an option without a line here fails.

Quantizers have suites of their own beside their tests.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from digit_tokenizers import tokenizer
from torch import Tensor, nn
from torch.export import Dim, export

from ganvas.cli.compose.experiment import compose
from ganvas.functional.random import Draws
from ganvas.model.critic import Critic
from ganvas.model.freezing import layers_from_input
from ganvas.model.network.interface import Classified
from ganvas.run.config.build import build

CONF = Path(__file__).parents[2] / "conf/model"
TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def _names(*groups: str) -> list[str]:
    return [f"{group}/{path.stem}" for group in groups for path in sorted((CONF / group).glob("*.yaml"))]


# Models by networks that are not every GAN's, and sizes at which these are quick.
GANS = {"dcgan": "dcgan", "resnet": "sngan", "r3gan": "r3gan", "biggan": "biggan", "style": "style"}
GANS |= {"wavegan": "wavegan"}
_SMALL = ["model.generator.widths=[16,16,16]", "model.discriminator.widths=[16,16,16]"]
_STYLE = [
    *("model.latent_dim=32", "model.generator.w_dim=32"),
    *("model.generator.channel_max=16", "model.discriminator.channel_max=16"),
    "model.discriminator.minibatch_group=null",  # tests/model/layers/test_minibatch_std.py compares samples
]
SMALL = {"resnet": _SMALL, "sngan": _SMALL, "r3gan": _SMALL, "biggan": _SMALL, "style": _STYLE}
_RESIDUAL = ["model.encoder.base_channels=16", "model.encoder.attention_at=[8]"]
_VIT = ["model.encoder.width=32", "model.encoder.depth=2"]
_CONV1D = ["model.encoder.base_channels=4", "model.encoder.strides=[2,5]"]
_VOCOS = [
    "model.encoder.width=16",
    "model.encoder.window=32",
    "model.encoder.hop=8",
    "model.encoder.stride=2",
]
AUTOENCODERS = {
    "text": ["model.encoder.width=16"],
    "resnet": _RESIDUAL,
    "vit": _VIT,
    "conv1d": _CONV1D,
    "vocos": _VOCOS,
}  # sizes of an encoder, which its decoder takes over


def _autoencoder(name: str) -> list[str]:
    model = {"mlp": "mlp_vqvae", "text": "text_vqvae"}.get(name, "vqvae")
    return [
        f"model={model}",
        f"model/encoder={name}",
        f"model/decoder={name}",
        *AUTOENCODERS.get(name, []),
    ]


SMALL |= {option: ["model.prior.width=32", "model.prior.depth=1"] for option in ("autoregressive", "masked")}
SMALL["wavegan"] = [
    *("model.generator.base_channels=4", "model.generator.strides=[4,4]"),
    *("model.discriminator.base_channels=4", "model.discriminator.strides=[4,4]"),
]
SMALL["multi_scale_stft"] = ["model.discriminator.windows=[64,32]", "model.discriminator.base_channels=4"]
SMALL["sound_vqvae"], SMALL["sound_vqgan"] = _CONV1D, [*_CONV1D, *SMALL["multi_scale_stft"]]
SMALL["patch"] = ["model.discriminator.layers=2", "model.discriminator.base_channels=8"]
# Overrides that choose an option in a model that has such a part, and the shape of what a network takes.
CHOOSE: dict[str, Callable[[str], list[str]]] = {
    "generator": lambda name: [
        f"model={GANS.get(name, 'mlp_gan')}",
        f"model/generator={name}",
        *SMALL.get(name, []),
    ],
    "discriminator": lambda name: [
        f"model={GANS.get(name, 'mlp_gan')}",
        f"model/discriminator={name}",
        *SMALL.get(name, []),
    ],
    "head": lambda name: ["model=mlp_gan", f"model/head={name}"],
    "encoder": _autoencoder,
    "decoder": _autoencoder,
    "network": lambda name: ["model=classifier", f"model/network={name}"],
    "adversarial_loss": lambda name: ["model=mlp_gan", f"model/adversarial_loss={name}"],
    "gradient_penalty": lambda name: ["model=mlp_gan", f"model/gradient_penalty={name}"],
    "augment": lambda name: ["model=mlp_gan", f"model/augment={name}"],
    "ema": lambda name: ["model=mlp_gan", f"model/ema={name}"],
    "reconstruction_loss": lambda name: [
        "model=mlp_vqvae",
        f"model/reconstruction_loss={name}",
        *(["metric/features@model.reconstruction_loss.perceptual.features=pixels"] * (name == "perceptual")),
    ],
}
SHAPES = {
    "generator/mlp": (64,),
    "generator/dcgan": (100,),
    "generator/resnet": (128,),
    "discriminator/mlp": (1, 16, 16),
    "discriminator/resnet": (1, 16, 16),
    "generator/r3gan": (64,),
    "generator/biggan": (80,),
    "discriminator/biggan": (1, 16, 16),
    "discriminator/patch": (1, 16, 16),
    "generator/style": (32,),
    "discriminator/style": (1, 16, 16),
    "discriminator/r3gan": (1, 16, 16),
    "discriminator/dcgan": (1, 16, 16),
    "encoder/mlp": (1, 16, 16),
    "encoder/conv": (1, 16, 16),
    "decoder/mlp": (8, 8),
    "decoder/conv": (64, 4, 4),
    "encoder/resnet": (1, 16, 16),
    "decoder/resnet": (64, 4, 4),
    "encoder/vit": (1, 16, 16),
    "decoder/vit": (64, 4, 4),
    "network/cnn": (1, 16, 16),
    "generator/wavegan": (100,),
    "discriminator/wavegan": (1, 160),
    "discriminator/multi_scale_stft": (1, 160),
    "encoder/conv1d": (1, 160),
    "decoder/conv1d": (64, 16),
    "encoder/text": (160,),
    "decoder/text": (64, 80),
    "encoder/vocos": (1, 160),
    "decoder/vocos": (64, 10),
}
NETWORKS = _names("generator", "discriminator", "encoder", "decoder", "network")


def make(option: str) -> Any:
    part, name = option.split("/")
    config = compose([*CHOOSE[part](name), *_data(option)]).config
    torch.manual_seed(0)
    return build(config["model"][part], f"model.{part}")


def _data(option: str) -> list[str]:
    """Images of 16 pixels, or sounds of 160 samples for what says of itself that it is for them."""
    head = (CONF / f"{option}.yaml").read_text().split("_target_", 1)[0].split("\ndefaults:", 1)[0]
    if re.search(r"of texts\b|for texts\b|[tT]exts:", head):
        return ["data=text_files", "data.crop_length=160"]
    if re.search(r"\bsounds\b", head) is None:
        return ["data=digits", "data.image_size=16"]
    return ["data=sound_folder", "data.rate=8000", "data.crop_length=160"]


def first(output: Any) -> Tensor:
    return output.logits if isinstance(output, Classified) else output


def inputs(option: str, num: int, dtype: torch.dtype = torch.float32) -> Tensor:
    shape = SHAPES[option]
    if option == "generator/mlp":
        shape = (make(option).latent_dim,)
    if option == "encoder/text":  # symbols, whatever the type of the weights
        return torch.randint(256, (num, *shape), generator=torch.Generator().manual_seed(1))
    return torch.randn(num, *shape, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize("option", NETWORKS)
def test_a_network_refuses_other_shapes(option: str) -> None:
    network, x = make(option).eval(), inputs(option, 2)
    assert first(network(x)).shape[0] == 2
    wrong = [x[None], x[0], torch.cat([x, x], dim=1), x.flatten()]
    if x.ndim == 4:
        wrong += [x.movedim(1, -1), x.flatten(1), x.flatten(2)]
    if option.startswith("discriminator"):
        wrong += [torch.cat([x, x], dim=2), x.repeat(1, 1, 2, 2)]
    for value in (one for one in wrong if one.shape[1:] != x.shape[1:]):
        with pytest.raises(ValueError, match=r"an input of shape \[.*\] where the network takes \[B, "):
            network(value)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("option", NETWORKS)
def test_a_network_in_every_float_type(option: str, dtype: torch.dtype) -> None:
    network = make(option).eval()
    expected = first(network(inputs(option, 3))).detach()
    found = first(network.to(dtype)(inputs(option, 3, dtype)))
    assert found.dtype == dtype
    tolerance = {torch.float16: 2e-2, torch.bfloat16: 1e-1}.get(dtype, 1e-4)
    scale = expected.abs().max().item()
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("option", NETWORKS)
def test_eval_mode_changes_nothing_and_samples_are_their_own(option: str) -> None:
    network, x = make(option).eval(), inputs(option, 4)
    before = copy.deepcopy(network.state_dict())
    whole = first(network(x))
    if x.is_floating_point():
        first(network(torch.full_like(x, torch.nan)))
    torch.testing.assert_close(first(network(x[1:2])), whole[1:2], rtol=1e-4, atol=1e-5)
    x[0] = torch.nan if x.is_floating_point() else 0
    output = first(network(x))
    assert output[0].isnan().any() or not x.is_floating_point(), "what is not finite shows"
    torch.testing.assert_close(output[1:], whole[1:], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize("option", NETWORKS)
def test_a_network_exports_with_a_dynamic_batch(option: str) -> None:
    network = make(option).eval()
    shapes: Any = ({0: Dim("batch", min=2)},)
    program = export(network, (inputs(option, 3),), dynamic_shapes=shapes).module()
    for size in (2, 7, 300):
        x = inputs(option, size)
        torch.testing.assert_close(first(program(x)), first(network(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", _names("discriminator"))
def test_layers_of_a_discriminator_are_in_the_order_in_which_samples_pass(option: str) -> None:
    network = make(option).eval()
    layers = layers_from_input(network)
    passed: list[int] = []
    for number, layer in enumerate(layers):
        for module in layer:
            module.register_forward_pre_hook(lambda *_, number=number: passed.append(number))
    network(inputs(option, 2))
    assert list(dict.fromkeys(passed)) == list(range(len(layers))) != []
    held = {id(p) for layer in layers for module in layer for p in module.parameters()}
    assert held == {id(p) for p in network.parameters()}, "every parameter is of a layer"


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("option", _names("head"))
def test_a_head(option: str, num_classes: int | None) -> None:
    torch.manual_seed(0)
    head = make(option)(5, num_classes=num_classes).double()
    features = torch.randn(4, 5, dtype=torch.float64)
    label = torch.tensor([0, 2, 1, 0])
    logits = head(features, label)
    assert logits.shape == (4,)
    assert head.reads_labels <= (num_classes is not None), "without classes a label is not read"
    torch.testing.assert_close(head(features[1:2], label[1:2]), logits[1:2])
    reads = not torch.equal(head(features, (label + 1) % 3), logits)
    if num_classes is None:
        assert not reads
        torch.testing.assert_close(head(features), logits)
    assert head.reads_labels == (reads or head.classifies)
    if head.classifies:
        losses = [head.class_loss(features, one) for one in (label, (label + 1) % 3)]
        assert all(loss.shape == () and loss > 0 for loss in losses)
        assert losses[0] != losses[1]
    for wrong in (features[:, :4], features[0], features[None]):
        with pytest.raises(ValueError, match=r"an input of shape \[.*\] where the network takes \[B, 5\]"):
            head(wrong, label)
    for dtype in TYPES:
        made = head.to(dtype)(features.to(dtype), label)
        assert made.dtype == dtype
        if head.classifies:
            assert head.class_loss(features.to(dtype), label).dtype == torch.promote_types(
                dtype, torch.float32
            )
    assert head(torch.full_like(features, torch.nan).to(dtype), label).isnan().all()


@pytest.mark.parametrize("option", ["plain", "projection", "acgan", "contrastive", "d2d_ce"])
def test_a_critic_divides_the_heads_weights_where_its_networks_are(option: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    network.spectral = True
    critic = Critic(network, make(f"head/{option}")(4, num_classes=3))
    x, label = torch.randn(5, 6), torch.tensor([0, 1, 2, 2, 1])
    for _ in range(200):
        critic(x, label, class_loss=True)
    weights = [m.weight for m in critic.eval().head.modules() if isinstance(m, nn.Linear | nn.Embedding)]
    count = {"plain": 1, "projection": 2, "acgan": 2, "contrastive": 3, "d2d_ce": 3}
    assert len(weights) == count[option]
    for weight in weights:
        assert torch.linalg.matrix_norm(weight, ord=2).item() == pytest.approx(1, abs=1e-3)
    assert torch.equal(critic(x, label), critic(x, label))


@pytest.mark.parametrize("option", _names("adversarial_loss"))
def test_an_adversarial_loss(option: str) -> None:
    loss = make(option)
    real, fake = torch.randn(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    for side in (loss.discriminator, loss.generator):
        exact = side(real_logits=real, fake_logits=fake)
        assert exact.dtype == torch.float64
        for dtype in TYPES:
            real_logits, fake_logits = (one.to(dtype, copy=True).requires_grad_(True) for one in (real, fake))
            value = side(real_logits=real_logits, fake_logits=fake_logits)
            assert value.dtype == torch.promote_types(dtype, torch.float32)
            assert value.shape == ()
            value.backward()
            assert fake_logits.grad is not None
            assert fake_logits.grad.dtype == dtype
            rounded = side(real_logits=real.to(dtype).double(), fake_logits=fake.to(dtype).double())
            assert value.item() == pytest.approx(rounded.item(), rel=1e-6)
        for wrong in (fake[:, None], fake.sum()):
            with pytest.raises(ValueError, match="alike in all but the number of samples"):
                side(real_logits=real, fake_logits=wrong)
        patches = {"real_logits": real.view(3, 1, 1, 2), "fake_logits": fake.view(3, 1, 1, 2)}
        assert side(**patches).item() == pytest.approx(exact.item(), rel=1e-12), "one logit a patch"
        assert side(real_logits=real, fake_logits=fake.index_fill(0, torch.tensor([2]), torch.nan)).isnan()


@pytest.mark.parametrize("option", _names("reconstruction_loss"))
def test_a_reconstruction_loss(option: str) -> None:
    loss = make(option)
    if loss.of_logits:  # tests/model/reconstruction_loss/test_cross_entropy.py: of symbols
        return
    shape = (3, 1, 160) if "data=sound_folder" in _data(option) else (3, 1, 4, 4)
    x, y = torch.randn(2, *shape, dtype=torch.float64)
    for dtype in TYPES:
        made = x.to(dtype, copy=True).requires_grad_(True)
        value = loss(reconstruction=made, target=y.to(dtype))
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        value.backward()
        assert made.grad is not None
        assert made.grad.dtype == dtype
        exact = loss(reconstruction=made.detach().double(), target=y.to(dtype).double())
        assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    for wrong in (y[:1], y[:, 0], y[:, :, :1]):
        with pytest.raises(ValueError, match="must be of one shape"):
            loss(reconstruction=x, target=wrong)
    assert loss(reconstruction=x, target=y.index_fill(0, torch.tensor([1]), torch.nan)).isnan()


@pytest.mark.parametrize("option", _names("gradient_penalty"))
def test_a_gradient_penalty(option: str) -> None:
    penalty = make(option)
    if penalty is None:  # the option ``none``
        return
    weight = torch.linspace(-1, 1, 16, dtype=torch.float64)
    real, fake = torch.randn(2, 5, 1, 4, 4, dtype=torch.float64)

    def at(dtype: torch.dtype, **samples: Tensor) -> Tensor:
        w = weight.to(dtype).requires_grad_(True)
        value = penalty(lambda x: (x.flatten(1) * w).square().sum(1), draws=Draws(0, 0), **samples)
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        (gradient,) = torch.autograd.grad(value, w)
        assert gradient.dtype == dtype
        return value

    exact = at(torch.float64, real=real, fake=fake).item()
    for dtype, tolerance in zip(TYPES, (2e-2, 2e-1, 1e-5, 1e-12), strict=True):
        assert at(dtype, real=real.to(dtype), fake=fake.to(dtype)).item() == pytest.approx(
            exact, rel=tolerance
        )
    for wrong in (fake[:, 0], fake.flatten(1), fake[:, :, :1]):
        with pytest.raises(ValueError, match="must be of one shape"):
            at(torch.float64, real=real, fake=wrong)
    bad = torch.full_like(real, torch.nan)
    assert at(torch.float64, real=bad, fake=bad).isnan()


@pytest.mark.parametrize("option", _names("augment"))
def test_an_augmentation(option: str) -> None:
    augment = make(option)
    if augment is None:
        return
    draws = Draws(0, 0)
    real, fake = torch.randn(2, 5, 3, 8, 8, dtype=torch.float64)
    for sign in (1.0, 0.9, 1.0, 1.0):  # where it adapts, p rises
        augment.observe(torch.tensor(sign), 200_000)
    state = copy.deepcopy(augment.state_dict())
    exact, replaced = augment(real, draws, "real"), augment.replace(real, fake, draws)
    assert not torch.equal(exact if torch.equal(replaced, real) else replaced, real)
    for dtype, tolerance in zip(TYPES, (1e-2, 1e-1, 1e-4, 0), strict=True):
        x = real.to(dtype, copy=True).requires_grad_(True)
        shown = augment(x, draws, "real")
        assert shown.dtype == dtype
        torch.testing.assert_close(shown.double(), exact, rtol=0, atol=tolerance * exact.abs().max())
        (gradient,) = torch.autograd.grad(shown.square().sum(), x, create_graph=True)
        assert gradient.dtype == dtype
        assert torch.autograd.grad(gradient.square().sum(), x)[0].isfinite().all()
        assert augment.replace(real.to(dtype), fake.to(dtype), draws).dtype == dtype
    with pytest.raises(ValueError, match="must be of one shape"):
        augment.replace(real, fake[:, :1], draws)
    augment.eval()  # it augments whatever the mode: only training shows samples through it
    assert torch.equal(augment(real, draws, "real"), exact)
    assert all(torch.equal(value, state[name]) for name, value in augment.state_dict().items())
    assert all(value.shape == () for value in augment.report().values())
    bad = real.index_fill(0, torch.tensor([2]), torch.nan)
    shown = augment(bad, draws, "real")
    assert shown[2].isnan().any(), "what is not finite shows"
    assert torch.equal(shown[:2], exact[:2]), "in its own sample alone"


@pytest.mark.parametrize("option", _names("augment"))
def test_an_augmentation_asks_the_device_for_no_value(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # not for such a device
    augment = make(option)
    if augment is None:
        return
    augment.to("meta")  # where there are no values
    x = torch.empty(5, 3, 8, 8, device="meta", requires_grad=True)
    draws = Draws(0, 0, device="meta")
    shown = augment(augment.replace(x, x.detach(), draws), draws, "real")
    shown.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    augment.observe(torch.empty((), device="meta"), 64)
    assert all(value.shape == () for value in augment.report().values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("option", _names("ema"))
def test_an_average(option: str, dtype: torch.dtype) -> None:
    average = make(option)
    if average is None:
        return
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).to(dtype)
    network[1].eval()  # a frozen BatchNorm stays so
    average.track(network)
    start = copy.deepcopy(average.average.state_dict())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    before = copy.deepcopy(network.state_dict())
    average.train()
    average.update(network, 10_000, 10**9)
    assert not any(module.training for module in average.average.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
    assert not any(parameter.requires_grad for parameter in average.average.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    for name, value in average.average.named_parameters():
        assert value.dtype == dtype
        assert (value > start[name]).all()
        assert (value < before[name]).all()


@pytest.mark.parametrize("option", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_what_a_recipe_makes_leaves_every_module_in_its_mode(option: str) -> None:
    words = [f"model={option}", *_data(option), *SMALL.get(option, [])]
    composed = compose(words).config
    config = composed["model"]
    given = {"tokenizer": tokenizer()} if "prior" in config else {}
    model = build(config | given, "model")
    model.train()
    modules = [module for network in model.networks.values() for module in network.modules()]
    for module in modules[::2]:
        module.training = False  # as a user's frozen BatchNorm is
    before = [module.training for module in model.modules()]
    state = copy.deepcopy(model.state_dict())
    x = torch.randn(4, *((1, 8, 8) if given else composed["data"]["sample_shape"]))
    x = x.long().abs() if getattr(model, "makes_logits", False) else x  # symbols
    model.check_sample(x)
    for method in ("reconstruct", "classify"):
        if hasattr(model, method):
            getattr(model, method)(x)
    if hasattr(model, "generate"):
        model.generate(model.latents(2, 0), ema=False)
        model.sample(2, 0)
    if given:
        model.bits(model.draw(2, 0), None)
    assert [module.training for module in model.modules()] == before
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
