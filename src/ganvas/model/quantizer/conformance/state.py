"""What a quantizer keeps: when it moves, and that a checkpoint holds all of it."""

from __future__ import annotations

import copy
import io
import random

import torch

from ganvas.model.quantizer.conformance.expect import (
    Found,
    expect,
    expect_equal,
    expect_state,
    first_line,
    state_of,
)
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.interface import Quantizer


def eval_mode_leaves_the_state_alone(subject: Subject) -> None:
    """No parameter and no buffer moves in eval mode, whatever comes, also before the first batch, nor by
    encode and decode in training mode, which say there what they say in eval mode."""
    for quantizer in (subject.trained(), subject.fresh().eval()):
        before = state_of(quantizer)
        for z in (subject.latents() + 5, torch.full_like(subject.latents(2), torch.nan)):
            quantizer(z)
        expect_state(quantizer, before, "after forward in eval mode")
        quantizer.decode(quantizer.encode(subject.latents()))
        expect_state(quantizer, before, "after encode and decode")
        expect(not quantizer.training, "forward in eval mode puts it into training mode")
        z = subject.latents()
        indices = quantizer.encode(z)
        vectors = quantizer.decode(indices)
        quantizer.train()
        expect_equal(quantizer.encode(z), indices, "encode in training mode beside eval mode's")
        expect_equal(quantizer.decode(indices), vectors, "decode in training mode beside eval mode's")
        expect_state(quantizer, before, "after encode and decode in training mode")


def a_checkpoint_holds_all(subject: Subject) -> None:
    """Another one that loads its state_dict, through a file read with weights_only, goes on as it does, and
    no batch changes a number, or the length of a list, that the state_dict does not hold."""
    first, second = subject.trained(training=True), subject.fresh()
    before = _kept_in_python(first)
    first(subject.latents())
    after = _kept_in_python(first)
    moved = [name for name in after if after[name] != before.get(name)]
    expect(not moved, f"a batch changes {', '.join(moved)}, which is no buffer, and so in no checkpoint")
    second(subject.latents())  # it has begun on its own, and must forget that
    second.load_state_dict(_through_a_file(first))
    for _ in range(3):
        z = subject.latents()
        one, other = first(z), second(z)
        expect_equal(other.indices, one.indices, "after loading, indices beside the saved one's")
        expect_equal(
            other.quantized, one.quantized, "after loading, what is quantized beside the saved one's"
        )
        expect_equal(other.loss, one.loss, "after loading, the loss beside the saved one's")
    expect_state(second, state_of(first), "some batches after loading")


def _kept_in_python(quantizer: Quantizer) -> dict[str, object]:
    """Numbers and lengths of lists among the attributes of its modules; flags may say what buffers say."""
    kept: dict[str, object] = {}
    for place, module in quantizer.named_modules():
        for name, value in vars(module).items():
            if type(value) in (int, float):
                kept[f"{place}.{name}".lstrip(".")] = value
            elif type(value) is list:
                kept[f"the length of {place}.{name}".replace(" .", " ")] = len(value)
    return kept


def a_checkpoint_from_before_the_first_batch(subject: Subject) -> None:
    """One that has trained and loads the state_dict of a fresh one begins as that one does."""
    fresh, other = subject.fresh(), subject.trained(training=True)
    other.load_state_dict(_through_a_file(fresh))
    z = 3 * subject.latents()
    expect_equal(other(z).quantized, fresh(z).quantized, "the first batch beside the fresh one's")
    expect_state(other, state_of(fresh), "after the first batch")


def what_it_says_of_itself(subject: Subject) -> None:
    """losses name all metrics that end in _loss, never_negative buffers are not, and without updates_itself
    a forward pass in training moves nothing."""
    quantizer = subject.trained(training=True)
    before, output = state_of(quantizer), quantizer(subject.latents())
    if quantizer.losses is not None:
        others = [n for n in output.metrics if n.endswith("_loss") and n not in quantizer.losses]
        expect(not others, f"losses does not name {', '.join(others)}")
    if not quantizer.updates_itself:
        expect_state(quantizer, before, "it says updates_itself=False, and after a forward pass in training")
    for module in quantizer.modules():
        names = getattr(module, "never_negative", ())
        for name, value in module.named_buffers(recurse=False):
            expect(name not in names or bool((value >= 0).all()), f"{name} is below 0")


def _through_a_file(quantizer: Quantizer) -> dict[str, torch.Tensor]:
    file = io.BytesIO()
    torch.save(quantizer.state_dict(), file)
    file.seek(0)
    try:
        loaded: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    except Exception as error:
        raise Found(f"its state_dict is refused with weights_only=True ({first_line(error)})") from error
    return loaded


def frozen_codes_stay(subject: Subject) -> None:
    """After requires_grad_(False) nothing moves in training and the encoder still learns; after
    requires_grad_(True) it learns as before."""
    for quantizer in (subject.trained(training=True), subject.fresh()):
        twin = copy.deepcopy(quantizer)
        before = state_of(quantizer.requires_grad_(False))
        for _ in range(5):
            z = (7 * subject.latents()).requires_grad_(True)
            output = quantizer(z)
            expect(output.quantized.requires_grad, "where it is frozen, no gradient reaches the encoder")
            (output.loss + output.quantized.sum()).backward()
            expect(z.grad is not None and z.grad.any(), "where it is frozen, the encoder has no gradient")
        expect_state(quantizer, before, "after training where it is frozen")
        quantizer.requires_grad_(True)
        z = 7 * subject.latents()
        expect_equal(quantizer(z).quantized, twin(z).quantized, "once it is free again, what is quantized")
        expect_state(quantizer, state_of(twin), "once it is free again, beside one that never was frozen")


def a_quantizer_without_storage_has_a_state(subject: Subject) -> None:
    """One that is made on the device meta has the state_dict's names, and takes one with assign=True."""
    whole = subject.fresh().state_dict()
    with torch.device("meta"):
        hollow = subject.fresh()
    expect(hollow.state_dict().keys() == whole.keys(), "on the device meta its state_dict has other names")
    hollow.load_state_dict(whole, assign=True)
    moved = [name for name, value in hollow.state_dict().items() if not torch.equal(value, whole[name])]
    expect(not moved, f"{', '.join(moved)} differs after load_state_dict(assign=True)")


def global_generators_are_left_alone(subject: Subject) -> None:
    """forward, encode and decode take no number from torch's or Python's own generator."""
    for quantizer in (subject.fresh(), subject.trained(training=True), subject.trained()):
        z = subject.latents()
        before, pythons = torch.get_rng_state(), random.getstate()
        for _ in range(2):
            quantizer(z)
            quantizer.decode(quantizer.encode(z))
        expect(torch.equal(torch.get_rng_state(), before), "torch's generator has moved")
        expect(random.getstate() == pythons, "Python's generator has moved")
