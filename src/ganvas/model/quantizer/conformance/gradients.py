"""What reaches the encoder, and of how many vectors at a time."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ganvas.model.quantizer.conformance.expect import NotAsked, expect, expect_close
from ganvas.model.quantizer.conformance.subject import Subject, draws
from ganvas.model.quantizer.interface import Quantizer


def the_gradient_reaches_the_encoder(subject: Subject) -> None:
    """A gradient of what is quantized reaches every vector of the latents, in training and in eval mode, and
    with the loss's is finite."""
    for training in (True, False):
        quantizer, mode = subject.trained(training), "training" if training else "eval mode"
        z = subject.latents().requires_grad_(True)
        output = quantizer(z)
        upstream = torch.randn_like(output.quantized)
        expect(output.quantized.requires_grad, f"in {mode} quantized has no gradient")
        (output.quantized * upstream).sum().backward(retain_graph=True)
        expect(z.grad is not None, f"in {mode} quantized is not a function of the latents")
        assert z.grad is not None
        without = int((z.grad.abs().amax(1) == 0).sum())
        vectors = z[:, 0].numel()
        expect(without == 0, f"in {mode} {without} of {vectors} vectors have a gradient of 0 throughout")
        if output.loss.requires_grad:
            output.loss.backward()
        expect(z.grad.isfinite().all(), f"in {mode} a gradient is not finite")


def torch_func_differentiates_it(subject: Subject) -> None:
    """torch.func.grad gives the gradient that backward gives, in eval mode."""
    quantizer, z = subject.trained(), subject.latents()

    def loss(x: Tensor) -> Tensor:
        output = quantizer(x)
        return output.quantized.square().sum() + output.loss

    leaf = z.clone().requires_grad_(True)
    (asked,) = torch.autograd.grad(loss(leaf), leaf)
    expect_close(torch.func.grad(loss)(z), asked, "the gradient")


def parts_of_a_batch_add_up(subject: Subject) -> None:
    """Gradients of two halves of a batch, averaged, are those of the whole, of latents and of parameters.

    Each of them from one state: what a forward pass in training changes is aside.
    """
    quantizer = subject.trained()
    if quantizer.compares_vectors:
        raise NotAsked("it says compares_vectors: its loss is no mean over vectors")
    quantizer.train(not draws(quantizer))  # noise is by the place in the batch
    z = subject.latents(2 * subject.batch)
    whole = _gradients(quantizer, z)
    halves = [_gradients(quantizer, half) for half in z.chunk(2)]
    for name, asked in whole.items():
        if name == "latents":
            found = torch.cat([half[name] for half in halves]) / 2
        else:
            found = (halves[0][name] + halves[1][name]) / 2
        expect_close(found, asked, f"the gradient of {name}", rtol=1e-4, atol=1e-6)


def _gradients(quantizer: Quantizer, z: Tensor) -> dict[str, Tensor]:
    """Of the loss and of a mean over what is quantized; the quantizer itself is left alone."""
    own, leaf = copy.deepcopy(quantizer), z.clone().requires_grad_(True)
    output = own(leaf)
    (output.loss + (output.quantized * z.sin()).mean()).backward()
    named = {"latents": leaf.grad} | {name: value.grad for name, value in own.named_parameters()}
    return {name: torch.zeros(()) if value is None else value for name, value in named.items()}
