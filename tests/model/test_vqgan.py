"""The VQGAN recipe against the same steps written out in plain PyTorch."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from kept import fit
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.model.adversarial_loss.hinge import Hinge
from ganvas.model.adversarial_loss.rpgan import RpGAN
from ganvas.model.augment.ada import ADA
from ganvas.model.decoder.conv import ConvDecoder
from ganvas.model.decoder.conv1d import Conv1dDecoder
from ganvas.model.decoder.mlp import MLPDecoder
from ganvas.model.decoder.vit import ViTDecoder
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.discriminator.patch import PatchDiscriminator
from ganvas.model.encoder.conv1d import Conv1dEncoder
from ganvas.model.encoder.mlp import MLPEncoder
from ganvas.model.gradient_penalty.r1 import R1
from ganvas.model.head.plain import PlainHead
from ganvas.model.optimizer.adam import adam
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.reconstruction_loss.l1 import L1
from ganvas.model.vqgan import VQGAN

SHAPE = [1, 8, 8]


def make(**options: Any) -> VQGAN:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "encoder": MLPEncoder(SHAPE, 3, 2, hidden_dim=16),
        "quantizer": VectorQuantizer(16, 3, commitment_cost=0.4, restart_after=0),
        "decoder": MLPDecoder(SHAPE, 3, 2, hidden_dim=16),
        "discriminator": MLPDiscriminator(sample_shape=SHAPE, hidden_dim=16),
        "head": PlainHead,
        "reconstruction_loss": L1(),
        "adversarial_loss": Hinge(),
        "gradient_penalty": None,
        "augment": None,
        "instance_noise": 0.0,
        "adversarial_weight": 0.7,
        "adaptive": True,
        "ramp_examples": 64,
        "optimizer": partial(adam, lr=1e-2, beta1=0.5, beta2=0.9),
        "discriminator_optimizer": partial(adam, lr=2e-2, beta1=0.5, beta2=0.9),
        "grad_clip": None,
        "seed": 3,
    }
    return VQGAN(**parts | options)


def started(**options: Any) -> VQGAN:
    """With codes, which else start at the first batch's vectors."""
    model = make(**options)
    model.quantizer.set_codes(torch.randn(16, 3, generator=torch.Generator().manual_seed(1)))  # type: ignore[operator]
    return model


@pytest.mark.parametrize(("adaptive", "penalty"), [(True, False), (False, True)])
def test_steps_equal_a_plain_loop(adaptive: bool, penalty: bool) -> None:
    model = started(adaptive=adaptive, gradient_penalty=R1(gamma=0.3, interval=2) if penalty else None)
    nets = copy.deepcopy(nn.ModuleDict({n: getattr(model, n) for n in ("encoder", "decoder", "quantizer")}))
    critic = copy.deepcopy(model.discriminator)
    _, keep = fit(model, 6)

    own = torch.optim.Adam(nets.parameters(), 1e-2, (0.5, 0.9))
    other = torch.optim.Adam(critic.parameters(), 2e-2, (0.5, 0.9))
    weights = []
    for step, x in enumerate(keep.batches):
        z = nets["encoder"](x)  # [16, 3, 2]
        codes = nets["quantizer"].codebook  # [16, 3]
        index = (z[:, None] - codes[None, :, :, None]).square().sum(2).argmin(1)  # [16, 2]
        e = codes[index].movedim(-1, 1)
        code_loss = (e - z.detach()).square().mean() + 0.4 * (z - e.detach()).square().mean()
        fake = nets["decoder"](z + (e - z).detach())
        loss = (1 - critic(x)).relu().mean() + (1 + critic(fake.detach())).relu().mean()
        if penalty and step % 2 == 1:
            at = x.clone().requires_grad_()
            gradient = torch.autograd.grad(critic(at).sum(), at, create_graph=True)[0]
            loss = loss + 2 * 0.3 / 2 * gradient.square().sum((1, 2, 3)).mean()
        other.zero_grad()
        loss.backward()
        other.step()
        distance, opinion = (fake - x).abs().mean(), -critic(fake).mean()
        weight = torch.tensor(0.7 * min(1.0, 16 * step / 64))
        if adaptive:
            last = [one for one in nets["decoder"].layers if isinstance(one, nn.Linear)][1].weight
            pair = distance, opinion
            a, b = (torch.autograd.grad(one, last, retain_graph=True)[0].norm() for one in pair)
            weight = weight * min(a / (b + 1e-4), 1e4)
        weights.append(float(weight))
        own.zero_grad()
        (distance + code_loss + weight * opinion).backward()
        own.step()
    for name, net in [*nets.items(), ("discriminator", critic)]:
        for made, wanted in zip(getattr(model, name).parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(made, wanted, rtol=1e-3, atol=1e-4)
    reported = [float(report["weight/adversarial"]) for report in keep.reports]
    assert reported == pytest.approx(weights, rel=1e-4)
    assert weights[0] == 0 < weights[1] < weights[4]
    weighed, whole = (float(keep.reports[3][f"loss/{name}"]) for name in ("adversarial", "generator"))
    assert weighed == pytest.approx(weights[3] * whole, rel=1e-4)


def test_a_relativistic_pair_is_a_sample_and_its_reconstruction() -> None:
    model = started(adversarial_loss=RpGAN(), adaptive=False, ramp_examples=0, adversarial_weight=1.0)
    _, keep = fit(model, 1)
    critic, report = model.discriminator, keep.reports[0]
    assert report["weight/adversarial"] == 1
    again = started(adversarial_loss=RpGAN(), adaptive=False, ramp_examples=0, adversarial_weight=1.0)
    with torch.no_grad():
        x = keep.batches[0]
        fake = again.autoencode(x)[0]
        wanted = nn.functional.softplus(critic(x) - critic(fake)).mean()  # by the critic after its step
    torch.testing.assert_close(report["loss/generator"], wanted)


def test_patches_and_adaptive_augmentation() -> None:
    model = started(
        discriminator=PatchDiscriminator(1, 8, base_channels=4, layers=1, norm="none"),
        augment=ADA("b", p=0.4, target=-0.9, interval=1, adapt_examples=160),
    )
    _, keep = fit(model, 3)
    p = [0.4]
    for report in keep.reports[:2]:  # a patch each, so that the accuracy tells the mean sign
        p.append(p[-1] + (0.1 if 2 * float(report["accuracy/real"]) - 1 > -0.9 else -0.1))
    assert [float(report["augment/p"]) for report in keep.reports] == pytest.approx(p)
    assert model.discriminate(keep.batches[0], None).shape == (16,)


def test_the_last_layer_of_each_decoder() -> None:
    conv = make(decoder=ConvDecoder(1, 3, 4, 2, 1))
    assert conv.last is conv.decoder.layers[-1].weight  # type: ignore[union-attr, index]
    tanh = make(decoder=ConvDecoder(1, 3, 4, 2, 1, output="tanh"))
    assert tanh.last is tanh.decoder.layers[-2].weight  # type: ignore[union-attr, index]
    tokens = make(decoder=ViTDecoder(sample_shape=SHAPE, embedding_dim=3, width=8, depth=1, heads=2))
    assert tokens.last is tokens.decoder.to_pixels.weight  # type: ignore[union-attr]


def test_a_weight_that_never_is_whole_is_said() -> None:
    assert make(ramp_examples=64).out_of_reach(4, 64) == []
    (line,) = make(ramp_examples=64).out_of_reach(3, 48)
    assert line.startswith("model.ramp_examples=64: the adversarial weight rises to 0.75 of its own")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="adversarial_weight=-1: must be 0 or more"):
        make(adversarial_weight=-1)
    with pytest.raises(OptionError, match="ramp_examples=-5: must be 0 or more"):
        make(ramp_examples=-5)
    with pytest.raises(OptionError, match=r"decoder=Flat.*has no linear layer.*adaptive=false"):
        make(decoder=Flat())
    make(decoder=Flat(), adaptive=False).check_sample(torch.zeros(2, *SHAPE))


class Flat(nn.Module):
    """A decoder with one parameter and no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * z.mean((1, 2)).view(-1, 1, 1, 1).expand(-1, *SHAPE)


@pytest.mark.parametrize("adaptive", [False, True])
def test_feature_matching_is_descended_by_the_autoencoder_alone(adaptive: bool) -> None:
    options = {"feature_matching": 3.0, "adaptive": adaptive, "ramp_examples": 32}
    model = started(**options)
    again = started(**options)
    _, keep = fit(model, 2)
    first, second = keep.reports
    assert first["loss/feature_matching"] == 0  # the ramp
    with torch.no_grad():
        fit(again, 1)
        x, critic = keep.batches[1], model.discriminator  # by now after its second step
        fake = again.autoencode(x)[0]
        layers = [one for one in critic.network.modules() if isinstance(one, nn.Linear)]
        seen: list[list[Tensor]] = []
        for value in (x, fake):
            seen.append([])
            hidden = value.flatten(1)
            for layer in layers:
                hidden = layer(hidden).relu()
                seen[-1].append(hidden)
        terms = [((f - r).abs().mean(1) / r.abs().mean(1)).mean() for r, f in zip(*seen, strict=True)]
    wanted = 3.0 * 0.5 * torch.stack(terms).mean().item()
    assert float(second["loss/feature_matching"]) == pytest.approx(wanted, rel=1e-3)
    plain = started(**options | {"feature_matching": 0.0})
    _, bare = fit(plain, 2)
    assert "loss/feature_matching" not in bare.reports[0]
    for name, value in plain.discriminator.named_parameters():  # its own loss is the same
        torch.testing.assert_close(value, dict(model.discriminator.named_parameters())[name])
    assert not all(
        torch.equal(one, other)
        for one, other in zip(plain.decoder.parameters(), model.decoder.parameters(), strict=True)
    )


def test_feature_matching_needs_layers_and_a_weight() -> None:
    with pytest.raises(OptionError, match=r"feature_matching=-1\.0: must be 0 or more"):
        make(feature_matching=-1.0)
    model = make(feature_matching=1.0)
    model.check_sample(torch.zeros(2, *SHAPE))
    model.discriminator.network.layers_from_input = [nn.Linear(2, 2)]  # that no forward pass calls
    with pytest.raises(OptionError, match=r"hands out no layers.*model.feature_matching=0"):
        model.check_sample(torch.zeros(2, *SHAPE))


def test_the_adaptive_weight_of_a_normalized_last_layer() -> None:
    torch.manual_seed(0)
    shape = [1, 48]
    decoder = Conv1dDecoder(shape, 3, 2, [2, 4])
    model = make(
        encoder=Conv1dEncoder(shape, 3, 2, [2, 4]),
        decoder=decoder,
        discriminator=MLPDiscriminator(sample_shape=shape, hidden_dim=16),
    )
    assert model.last is decoder.layers[-1].parametrizations.weight.original1
    x = torch.randn(4, *shape)
    made = decoder(torch.randn(4, 3, 6))
    distance, adversarial = (made - x).abs().mean(), model.discriminator(made).mean()
    held = [one.norm() for one in model.gradients_at(model.last, distance, adversarial)]
    assert all(one > 0 for one in held)


def test_a_sound_of_another_length_comes_back_at_its_own() -> None:
    shape = [1, 48]
    model = make(
        encoder=Conv1dEncoder(shape, 3, 2, [2, 4]),
        decoder=Conv1dDecoder(shape, 3, 2, [2, 4]),
        discriminator=MLPDiscriminator(sample_shape=shape, hidden_dim=16),
    )
    model.quantizer.set_codes(torch.randn(16, 3))  # type: ignore[operator]
    for length in (48, 47, 100, 3):
        x = torch.randn(2, 1, length)
        assert model.reconstruct(x).x.shape == x.shape
