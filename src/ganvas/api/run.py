"""A trained run as an object: its networks, what they make, and what it logged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.api.state import call, preserved_state
from ganvas.callback.writing.rows import is_evaluation, read_rows
from ganvas.cli.trained.options.drawing import chosen_drawing
from ganvas.errors import OptionError, require
from ganvas.files.schema import is_count, is_number
from ganvas.run.folder.describe import describe
from ganvas.run.folder.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganvas.data.datamodule import TensorDataModule
    from ganvas.model.interface import Reconstruction
    from ganvas.model.training.recipe import Recipe

WEIGHTS = ("average", "raw")


class MissingPartError(OptionError, AttributeError):
    """A network that the run's recipe does not have; ``hasattr`` and ``getattr`` with a default know it."""


class Run:
    """A run: its folder at once, its networks when the first of them is asked for.

    Networks are plain ``nn.Module`` in eval mode on the first GPU, or the CPU without one, or on ``device``.
    Where a recipe averages weights (a GAN's generator), the average is what ``generator`` is and ``sample``
    uses; ``weights="raw"`` takes the trained ones. Tensors that come back lie on the CPU.

    Args:
        folder: the run's folder.
        allow: modules of the user's own that the run may name.
        weights: ``average`` or ``raw``.
        device: None takes the first GPU, or the CPU.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        allow: Sequence[str] = (),
        config_dir: str | None = None,
        weights: str = "average",
        device: Any = None,
    ) -> None:
        require(weights in WEIGHTS, "weights", weights, "must be average or raw")
        self._folder, self._allow, self.config_dir = folder, list(allow), config_dir
        self.weights, self._device = weights, device

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state}, {self.status.get('examples_seen', 0)} examples)"

    def __fspath__(self) -> str:
        return str(self.path)

    # ---- the folder ----

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._folder.path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def allow_imports(self) -> list[str]:
        """The modules of the user's own that the run may name."""
        return list(self._allow)

    @property
    def allows_places(self) -> bool:
        """Whether it may name folders to be written and addresses beyond its own."""
        return self._folder.allows_places

    @property
    def config(self) -> dict[str, Any]:
        """The config of run.yaml, as plain values."""
        config: dict[str, Any] = self._folder.read_run()["config"]
        return config

    @property
    def status(self) -> dict[str, Any]:
        """What status.json says now."""
        return self._folder.read_status()

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``failed``, ``interrupted``, ``killed`` or ``broken``, as of now."""
        return str(describe(self._folder)["state"])

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric, from status.json; empty before the run has ended."""
        return dict(self.status.get("metrics") or {})

    @property
    def history(self) -> dict[str, list[Any]]:
        """metrics.jsonl as columns of equal length: ``examples``, then one a tag, None where a row has none.

        ``pandas.DataFrame(run.history)`` is that table.
        """
        return _columns(read_rows(self.path / "metrics.jsonl"))

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """evaluations.jsonl: ``examples``, ``metrics`` and their ``protocol``, oldest first."""
        return [row for row in read_rows(self.path / "evaluations.jsonl") if is_evaluation(row)]

    # ---- what was trained ----

    @cached_property
    def _loaded(self) -> tuple[Recipe, TensorDataModule]:
        with preserved_state():
            from ganvas.run.load import load_run

            model, data, _ = load_run(self._folder, allow=self._allow)
            return (model if self._device is None else model.to(self._device)), data

    @property
    def model(self) -> Recipe:
        """The recipe, with all its networks."""
        return self._loaded[0]

    @property
    def data(self) -> TensorDataModule:
        """The data module; it reads its files when it is first asked for samples."""
        return self._loaded[1]

    @property
    def generator(self) -> nn.Module:
        average = getattr(getattr(self.model, "ema", None), "average", None)
        if average is not None and self.weights == "average":
            return average  # type: ignore[no-any-return]
        return self._network("generator")

    @property
    def discriminator(self) -> nn.Module:
        return self._network("discriminator")

    @property
    def encoder(self) -> nn.Module:
        return self._network("encoder")

    @property
    def quantizer(self) -> nn.Module:
        return self._network("quantizer")

    @property
    def decoder(self) -> nn.Module:
        return self._network("decoder")

    def _network(self, name: str) -> nn.Module:
        networks = self.model.networks
        if name not in networks:
            reason = f"has no {name}; its networks are {', '.join(networks)}"
            raise MissingPartError("RUN", self.path, reason)
        return networks[name]

    # ---- what it makes ----

    @call
    def sample(
        self,
        num: int,
        seed: int = 1,
        label: int | Sequence[int] | Tensor | None = None,
        *,
        truncation: float | None = None,
        batch_size: int = 256,
        **drawing: float | int,
    ) -> Tensor:
        """Samples of a GAN or a prior: those of ``ganvas sample`` with the same seed.

        Args:
            num: how many; sample number i is a function of (seed, i) and the weights alone.
            seed: of the latents.
            label: class of all samples, or of each [num]; None lets a generator with classes draw them.
            truncation: largest latent value; of a StyleGAN2 the share of the way from its mean style;
                at 0 all samples of a class are one; None does not cut.
            batch_size: samples made at a time.
            drawing: of a prior ``temperature``, ``top_k``, ``top_p``, ``guidance``, ``steps``
                (:class:`ganvas.functional.next_code.Drawing`); the run's own where they are not given.

        Returns:
            float32 [num, ...] in [-1, 1], on the CPU.

        Raises:
            OptionError: ``RUN``: it makes no samples; an argument out of its range.
        """
        import torch

        from ganvas.model.interface import DrawsCodes, FromLatents, Samples

        for name, value in (("num", num), ("batch_size", batch_size)):
            require(value >= 1, name, value, "must be at least 1")
        require(truncation is None or truncation >= 0, "truncation", truncation, "must be 0 or more")
        model, average = self.model, self.weights == "average"
        if not isinstance(model, Samples):
            raise OptionError("RUN", self.path, "makes no samples from nothing; reconstruct takes VQ-VAEs")
        labels = None if label is None else self._labels(label, num)
        options = chosen_drawing(model, drawing)
        made = []
        for start in range(0, num, batch_size):
            count = min(batch_size, num - start)
            if isinstance(model, DrawsCodes):
                own = None if labels is None else labels[start : start + count]
                x = model.sample(
                    count, seed, ema=average, start=start, truncation=truncation, label=own, drawing=options
                )
            elif labels is None:
                x = model.sample(count, seed, ema=average, start=start, truncation=truncation)
            else:
                assert isinstance(model, FromLatents), "only those have labels"
                z = model.latents(count, seed, start=start, truncation=truncation)
                classes = labels[start : start + count].to(z.device)
                x = model.generate(z, classes, ema=average, truncation=truncation)
            made.append(x.cpu())
        return torch.cat(made)

    def _labels(self, label: Any, num: int) -> Tensor:
        import torch

        classes: Any = getattr(self.model, "num_classes", None)
        require(classes is not None, "label", label, "the run's model has no classes; leave it out")
        labels = torch.as_tensor(label, dtype=torch.int64, device="cpu")
        labels = labels.expand(num) if labels.dim() == 0 else labels
        require(
            tuple(labels.shape) == (num,), "label", list(labels.shape), f"must be a class or {num} of them"
        )
        fits = bool(((labels >= 0) & (labels < classes)).all())
        require(fits, "label", label, f"must be from 0 to {classes - 1}")
        return labels

    @call
    def encode(self, x: Tensor, *, batch_size: int = 256) -> Tensor:
        """Samples float [N, ...] in [-1, 1] to their codes int64 [N, levels, *positions], of a VQ-VAE.

        Raises:
            OptionError: ``RUN``: it has no codes; ``x``: of another shape or type than the run's data.
        """
        encode, x = self._of_autoencoder("encode"), self._samples(x)
        return self._in_batches(encode, x, batch_size)

    @call
    def decode(self, indices: Tensor, *, levels: int | None = None, batch_size: int = 256) -> Tensor:
        """Codes int64 [N, levels, *positions] to samples float32 [N, ...] in [-1, 1], of a VQ-VAE.

        Args:
            levels: how many of the first levels to take; all that are given without.

        Raises:
            OptionError: ``RUN``: it has no codes; ``indices``: no codes of the run's.
        """
        import torch

        decode = self._of_autoencoder("decode")
        indices = torch.as_tensor(indices)
        fits = not indices.is_floating_point() and indices.dim() >= 2 and indices.numel() > 0
        rule = "must be whole numbers [N, levels, *positions], as encode gives them"
        require(fits, "indices", list(indices.shape), rule)
        try:
            return self._in_batches(lambda part: decode(part, levels), indices.long(), batch_size)
        except ValueError as error:  # a network's own word on the shape that reached it
            if isinstance(error, OptionError) and error.option == "levels":
                raise
            raise OptionError("indices", list(indices.shape), f"{error}; give those of encode") from error

    @call
    def reconstruct(self, x: Tensor, *, batch_size: int = 256) -> Reconstruction:
        """Samples float [N, ...] in [-1, 1] to ``x`` float32 [N, ...] and each level's ``indices``.

        These are int64 [N, *positions].

        Raises:
            OptionError: ``RUN``: it reconstructs nothing; ``x``: of another shape or type than its data.
        """
        import torch

        from ganvas.model.interface import Reconstruction

        reconstruct, x = self._of_autoencoder("reconstruct"), self._samples(x)
        device = self.model.device
        parts = [reconstruct(part.to(device)) for part in x.split(batch_size)]
        levels = zip(*(part.indices for part in parts))
        return Reconstruction(
            torch.cat([part.x.cpu() for part in parts]),
            tuple(torch.cat([one.cpu() for one in level]) for level in levels),
        )

    def _of_autoencoder(self, method: str) -> Any:
        found = getattr(self.model, method, None)
        if found is None:
            raise OptionError("RUN", self.path, f"cannot {method}; it must be the run of a VQ-VAE")
        return found

    def _samples(self, x: Any) -> Tensor:
        """float32 [N, ...] of the shape that the networks take."""
        import torch

        x, shape = torch.as_tensor(x), tuple(self.config["data"].get("sample_shape") or ())
        rule = f"must be floats [N, {', '.join(map(str, shape))}] in [-1, 1]"
        fits = x.is_floating_point() and len(x) > 0 and (not shape or tuple(x.shape[1:]) == shape)
        require(fits, "x", f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}", rule)
        inside = bool((x.abs() <= 1).all())
        require(inside, "x", f"{float(x.min()):g} to {float(x.max()):g}", rule)
        floats: Tensor = x.float()
        return floats

    def _in_batches(self, function: Any, x: Tensor, batch_size: int) -> Tensor:
        import torch

        device = self.model.device
        parts: list[Tensor] = [function(part.to(device)).cpu() for part in x.split(batch_size)]
        return torch.cat(parts)


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is no number is None, and a row that counts no examples is left out: it may be anybody's."""
    rows = [row for row in rows if is_count(row.get("examples"))]
    tags = dict.fromkeys(["examples", *(tag for row in rows for tag in row)])
    return {tag: [row[tag] if is_number(row.get(tag)) else None for row in rows] for tag in tags}
