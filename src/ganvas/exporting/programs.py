"""Which programs a recipe has, what goes in and out of each, and what ganvas itself computes in its place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.exporting.modules import Classify, Decode, Encode, Generate
from ganvas.functional.random import hash64
from ganvas.model.interface import Classifies, DrawsCodes, has_codes
from ganvas.model.latent_generator import LatentGenerator
from ganvas.model.symbols import Symbols

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Value:
    """One tensor that goes in or out.

    Attributes:
        shape: without the batch, which is in front of it; None: a scalar that is the same for all samples.
        dtype: ``float32`` or ``int64``.
        about: what it is.
        low, high: smallest and largest number that it may be; None: any.
        step: of what the last side may be any multiple, from twice it; None: it is as ``shape`` says.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str
    about: str
    low: float | None = None
    high: float | None = None
    step: int | None = None

    def random(self, batch: int, seed: int, frames: int | None = None) -> Tensor:
        """Numbers of its kind, a function of the seed: all codes and classes alike, N(0, 1), or uniform.

        Args:
            frames: steps that the last side has, where it has some; None: as ``shape`` says.
        """
        generator = torch.Generator().manual_seed(hash64(seed, self.name, batch))
        shape = () if self.shape is None else (batch, *self.shape)
        if frames is not None and self.step is not None:
            shape = (*shape[:-1], frames * self.step)
        if self.dtype == "int64":
            low, high = int(self.low or 0), int(self.high or 0)  # codes and classes have both
            return torch.randint(low, high + 1, shape, generator=generator)
        if self.low is None or self.high is None:
            return torch.randn(shape, generator=generator)
        return torch.rand(shape, generator=generator) * (self.high - self.low) + self.low


@dataclass(frozen=True)
class Program:
    """A network to export.

    Attributes:
        module: takes the inputs in their order; in eval mode, on the CPU, in float32.
        reference: computes the outputs by what ganvas's own commands call.
        real: inputs of a batch as they are met in use; OptionError or OSError where data are not there.
        notes: what a consumer must know beside.
    """

    name: str
    module: nn.Module
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    reference: Callable[..., Tensors]
    real: Callable[[int], Tensors]
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def takes_lengths(self) -> bool:
        """Whether samples may be longer and shorter than those of the run's data."""
        return any(value.step is not None for value in self.inputs)

    def of_one_length(self) -> Program:
        """The same for samples as long as those of the run's data."""
        inputs, outputs = (
            tuple(replace(value, step=None) for value in side) for side in (self.inputs, self.outputs)
        )
        return replace(self, inputs=inputs, outputs=outputs)

    def random(self, batch: int, frames: int | None = None) -> Tensors:
        """Inputs that no data are needed for; see :meth:`Value.random`."""
        seed = hash64("export", self.name)
        return tuple(value.random(batch, seed, frames) for value in self.inputs)


def programs_of(model: Any, data: Any, *, raw: bool) -> list[Program]:
    """The programs of a recipe, which is moved to the CPU and to float32.

    Args:
        model: see ``ganvas.run.load.load_run``.
        data: its data module.
        raw: the trained weights instead of their average.

    Raises:
        OptionError: ``RUN``: nothing of it can be exported as a program.
    """
    model.to("cpu").float().eval().requires_grad_(False)
    if isinstance(model, DrawsCodes):
        return list(_of_prior(model, raw=raw))
    if isinstance(model, LatentGenerator):
        return list(_of_generator(model, raw=raw))
    if has_codes(model):
        return list(_of_autoencoder(model, data, "", None))
    if isinstance(model, Classifies):
        return [_of_classifier(model, data)]
    name = type(model).__name__
    reason = (
        f"holds a {name}, of whose networks no programs are made; --format safetensors or folder takes it"
    )
    raise OptionError("RUN", name, reason)


def samples(data: Any, batch: int) -> Tensor:
    """The first samples of the test split, or of another that is there, float32 [batch, ...] in [-1, 1]."""
    for split in ("test", "val", "train"):
        if data.num_samples(split) >= batch:
            return next(iter(data.batches(split, batch, batch))).x  # type: ignore[no-any-return]
    raise OptionError("data", type(data).__name__, f"has no {batch} samples")


def _shown(model: Any, name: str, *, raw: bool) -> tuple[nn.Module, bool]:
    """The network that samples are made with, a copy, and whether it is an average of weights."""
    average = getattr(getattr(model, "ema", None), "average", None)
    uses_average = average is not None and not raw
    shown: Any = average if uses_average else getattr(model, name)
    network: nn.Module = copy.deepcopy(shown)
    if uses_average and isinstance(model, LatentGenerator):
        state = network.state_dict()
        network.load_state_dict(state | model.average_statistics())
    return network.eval(), uses_average


def _of_generator(model: LatentGenerator, *, raw: bool) -> Iterator[Program]:
    network, uses_average = _shown(model, "generator", raw=raw)
    classes, truncates = model.num_classes, bool(getattr(network, "has_truncation", False))
    inputs = [Value("z", (model.latent_dim,), "float32", "a latent, drawn from N(0, 1)")]
    if classes is not None:
        inputs.append(Value("label", (), "int64", "the class", 0, classes - 1))
    if truncates:
        about = "share psi of the way from the mean style; 1 is no truncation"
        inputs.append(Value("truncation", None, "float32", about, 0, 1))

    def reference(z: Tensor, *more: Tensor) -> Tensors:
        label = more[0] if classes is not None else None
        psi = float(more[-1]) if truncates else None
        return (model.generate(z, label, ema=not raw, truncation=psi),)

    def real(batch: int) -> Tensors:
        labels = model.sample_labels(batch, 1)
        more = (() if labels is None else (labels,)) + ((torch.tensor(1.0),) if truncates else ())
        return (model.latents(batch, 1), *more)

    (made,) = reference(*real(1))
    yield Program(
        "generator",
        Generate(network, space=model.space, conditional=classes is not None, truncates=truncates).eval(),
        tuple(inputs),
        (_samples("samples", made),),
        reference,
        real,
        {"weights": "average" if uses_average else "trained"},
    )
    if model.space is not None:
        tokenizer: Any = model.space.tokenizer
        yield from _of_autoencoder(tokenizer.recipe, tokenizer.data, "tokenizer_", tokenizer.layout)


def _of_autoencoder(recipe: Any, data: Any, prefix: str, layout: Any) -> Iterator[Program]:
    recipe.to("cpu").float()
    encode = Encode(recipe, layout).eval()

    def both(x: Tensor) -> Tensors:
        indices = recipe.encode(x)
        found = indices if layout is None else layout.flatten(indices)
        return found if isinstance(found, tuple) else (found,)

    shape = _sample_shape(data)
    codes = both(data.modality.example(shape))
    if layout is None:
        names = ["indices"] if len(codes) == 1 else [f"indices_{number}" for number in range(len(codes))]
        about, sizes = "codes [B, levels, *positions]", _map_sizes(recipe, codes)
    else:
        names, sizes = ["codes"], [max(size for own in layout.sizes for size in own)]
        about = "codes as one sequence: map after map, row by row, at each position its levels"
    step = _step(recipe, data.modality, shape, codes) if layout is None else None
    places = None if step is None else 1
    values = tuple(
        Value(name, tuple(one.shape[1:]), "int64", about, 0, size - 1, places)
        for name, one, size in zip(names, codes, sizes, strict=True)
    )
    symbols = data.modality.vocabulary if data.modality.is_discrete else None
    sample = _value_of_samples("x", shape, symbols, step)
    each = [list(own) for own in layout.sizes] if layout is not None else list(recipe.codebook_sizes)
    notes = {"codes_of_each_level": each}

    def decoded(*given: Tensor) -> Tensors:
        if layout is not None:
            return (recipe.decode(layout.unflatten(given[0])),)
        return (recipe.decode(given[0] if len(given) == 1 else given),)

    yield Program(
        f"{prefix}encode", encode, (sample,), values, both, lambda batch: (samples(data, batch),), notes
    )
    decode = Program(
        f"{prefix}decode",
        Decode(recipe, layout, symbols=symbols is not None).eval(),
        values,
        (_value_of_samples("samples", tuple(decoded(*codes)[0].shape[1:]), symbols, step),),
        decoded,
        lambda batch: both(samples(data, batch)),
        notes,
    )
    yield decode


def _step(recipe: Any, modality: Any, shape: tuple[int, ...], codes: Tensors) -> int | None:
    """Samples that a code stands for, where a longer sample has as many more codes; None where it has not."""
    places = codes[0].shape[2] if len(codes) == 1 and codes[0].ndim == 3 else 0
    if places < 2 or shape[-1] % places:
        return None
    step, more = shape[-1] // places, 2 * places + 1
    longer = modality.example((*shape[:-1], more * step))
    try:
        found = recipe.encode(longer)
        fits = found.shape == (*codes[0].shape[:2], more)
        made = recipe.decode(found)
        return step if fits and made.shape[-1] == more * step else None
    except (ValueError, IndexError, RuntimeError):  # its networks take one length
        return None


def _map_sizes(recipe: Any, codes: Tensors) -> list[int]:
    """The fewest codes of each map's levels: any index below it is one of all of them."""
    left, found = list(recipe.codebook_sizes), []
    for one in codes:
        found.append(min(left[: one.shape[1]]))
        left = left[one.shape[1] :]
    return found


def _of_prior(model: Any, *, raw: bool) -> Iterator[Program]:
    tokenizer = model.tokenizer
    layout, classes = tokenizer.layout, model.num_classes
    network: Any
    network, uses_average = _shown(model, "prior", raw=raw)
    sizes, mask = layout.element_sizes().tolist(), layout.vocabulary
    fewest = min(sizes)
    inputs = [Value("codes", (layout.length,), "int64", "codes as one sequence", 0, fewest - 1)]
    if classes is not None:
        inputs.append(Value("label", (), "int64", f"the class; {classes} is no class", 0, classes))

    def reference(codes: Tensor, label: Tensor | None = None) -> Tensors:
        with torch.no_grad():
            return (model.network(ema=not raw)(codes, label),)

    def real(batch: int) -> Tensors:
        codes = tokenizer.encode(samples(tokenizer.data, batch)).cpu()
        if not network.causal:  # a half of them hidden, as in its training
            codes[:, ::2] = mask
        return (codes,) if classes is None else (codes, torch.arange(batch) % (classes + 1))

    drawing = {key: getattr(model.drawing, key) for key in ("temperature", "top_k", "top_p", "guidance")}
    rule = (
        "logits [:, i] are those of code i given codes before i; put 0 where no code is known yet"
        if network.causal
        else f"logits [:, i] are those of code i given all others; code {mask} stands for one that is hidden"
    )
    notes = {
        "weights": "average" if uses_average else "trained",
        "causal": network.causal,
        "step": rule,
        "codes_of_each_element": sizes,
        "no_class": classes,
        "hidden_code": None if network.causal else mask,
        "drawing": drawing | ({} if network.causal else {"steps": model.steps}),
        "decoded_by": None if isinstance(tokenizer, Symbols) else "tokenizer_decode",
    }
    about = "-inf at codes that an element does not have"
    logits = Value("logits", (layout.length, layout.vocabulary), "float32", about)
    yield Program("prior", network, tuple(inputs), (logits,), reference, real, notes)
    if not isinstance(tokenizer, Symbols):
        yield from _of_autoencoder(tokenizer.recipe, tokenizer.data, "tokenizer_", layout)


def _of_classifier(model: Any, data: Any) -> Program:
    shape = _sample_shape(data)

    def reference(x: Tensor) -> Tensors:
        found = model.classify(x)
        return found.logits, found.features

    logits, features = reference(torch.zeros(1, *shape))
    return Program(
        "classifier",
        Classify(model.network).eval(),
        (Value("x", shape, "float32", "samples", -1, 1),),
        (
            Value("logits", tuple(logits.shape[1:]), "float32", "of each class"),
            Value("features", tuple(features.shape[1:]), "float32", "of the layer before"),
        ),
        reference,
        lambda batch: (samples(data, batch),),
    )


def _samples(name: str, made: Tensor) -> Value:
    return Value(name, tuple(made.shape[1:]), "float32", "samples", -1, 1)


def _value_of_samples(
    name: str, shape: tuple[int, ...], symbols: int | None, step: int | None = None
) -> Value:
    """Samples, or numbers of so many symbols."""
    if symbols is not None:
        return Value(name, shape, "int64", "numbers of symbols", 0, symbols - 1, step)
    return Value(name, shape, "float32", "samples", -1, 1, step)


def _sample_shape(data: Any) -> tuple[int, ...]:
    """Of one sample, which images say without being read."""
    channels, size = getattr(data, "channels", None), getattr(data, "image_size", None)
    if channels is not None and size is not None:
        return (channels, size, size)
    return tuple(samples(data, 1).shape[1:])
