"""Samples to be encoded: of a split, a file of the user's own, or typed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn.functional import pad

from ganvas.errors import OptionError, require
from ganvas.files.write import Workshop
from ganvas.modality.image import Image
from ganvas.modality.interface import Modality
from ganvas.play.work.pictures import MAX_UPLOAD, read_upload
from ganvas.play.work.shown_samples import require_shown

SPLITS = ("test", "val", "train")


class Original(NamedTuple):
    """A sample to be encoded.

    Attributes:
        x: as networks take it, on the CPU.
        label: its class, where it is known.
        told: where it is from.
        length: of its last side what is its own; what follows fills it up.
    """

    x: Tensor
    label: int | None
    told: str
    length: int

    @property
    def own(self) -> Tensor:
        """Without what fills it up."""
        return self.x[..., : self.length]


class Source:
    """Samples of a run's data, and others like them.

    Args:
        data: the data module.
        shape: of a sample.
        place: the run's folder, for what is refused.

    Raises:
        OptionError: ``RUN``: samples that a page cannot show one by one.
    """

    def __init__(self, data: Any, shape: tuple[int, ...], place: object) -> None:
        self.data, self.shape, self._place = data, shape, place
        self.kind: Modality = data.modality
        require_shown(self.kind, shape, place)

    @property
    def class_names(self) -> list[str]:
        return list(self.data.class_names or ())

    @property
    def endings(self) -> tuple[str, ...]:
        """Of files of the user's own that can be read; none where there are no such."""
        return (*self.kind.endings, *self.kind.reads)

    @property
    def takes_typing(self) -> bool:
        """Whether a sample can be typed."""
        return self.kind.typed("a") is not None

    def count(self, split: str) -> int:
        """Samples of a split; it reads the data when it is first asked."""
        try:
            found: int = self.data.num_samples(split)
        except OptionError as error:
            raise error.under("data") from error
        return found

    def first_split(self) -> str:
        """The first of the splits that holds something."""
        return next((split for split in SPLITS if self.count(split)), SPLITS[0])

    def take(self, split: str, number: int) -> Original:
        """Sample ``number``, from 0, of a split.

        Raises:
            OptionError: ``number``: there is none; ``data...``: they are not there.
        """
        there = self.count(split)
        rule = f"the {split} split holds {there:,} {self.kind.plural}; take one from 0 to {there - 1:,}"
        require(0 <= number < there, "number", number, rule)
        stored = self.data.split(split)
        x = self.kind.to_model(stored.x[number : number + 1]).clone()[0]
        label = None if stored.label is None else int(stored.label[number])
        return Original(x, label, f"{split} {self.kind.name} {number}", x.shape[-1])

    def upload(self, name: str, content: bytes) -> Original:
        """A user's own file: an image cut to the size of a sample, the beginning of anything else.

        Raises:
            OptionError: ``upload``: it is too large, or no such file.
        """
        if isinstance(self.kind, Image):
            channels, side = self.shape[0], self.shape[1]
            rule = f"has {channels} channels; a file is grey or in colour; take an image of the split"
            require(channels in (1, 3), "RUN", self._place, rule)
            x = read_upload(name, content, channels=channels, image_size=side)
            return Original(x, None, "your image", x.shape[-1])
        return self._fitted(self._read(name, content), f"your {self.kind.name}")

    def typed(self, text: str) -> Original:
        """What was typed, cut after one sample.

        Raises:
            OptionError: ``text``: there is none.
        """
        require(bool(text), "text", text, "is empty; type one")
        rule = f"has {len(text):,} letters, of at most {MAX_UPLOAD:,}; type fewer"
        require(len(text) <= MAX_UPLOAD, "text", f"{text[:20]}...", rule)
        stored = self.kind.typed(text)
        fits = stored is not None and stored.shape[-1] > 0
        require(fits, "text", text, f"makes no {self.kind.name}; type another")
        assert stored is not None
        return self._fitted(stored, "typed")

    def _read(self, name: str, content: bytes) -> Tensor:
        """A stored sample of any length."""
        most = f"holds {len(content):,} bytes, of at most {MAX_UPLOAD:,}; take a smaller file"
        require(len(content) <= MAX_UPLOAD, "upload", name, most)
        ending = Path(name).suffix.lower()
        known = ", ".join(self.endings)
        require(ending in self.endings, "upload", name, f"must be a {self.kind.name} ({known})")
        shop = Workshop(Path(tempfile.gettempdir()) / "ganvas-play-upload")
        try:
            shop.write(f"upload{ending}", content)
            stored = self.kind.read(shop.path / f"upload{ending}")
        except (OSError, ValueError) as error:
            reason = f"cannot be read as a {self.kind.name} ({error}); take another file"
            raise OptionError("upload", name, reason) from error
        finally:
            shop.close()
        fits = stored.shape[:-1] == self.shape[:-1] and stored.shape[-1] > 0
        require(fits, "upload", name, f"holds {list(stored.shape)}, of {list(self.shape)}; take another file")
        return stored

    def _fitted(self, stored: Tensor, told: str) -> Original:
        """The first values of it, filled up to a sample."""
        most, whole = self.shape[-1], stored.shape[-1]
        length = min(whole, most)
        x = self.kind.to_model(pad(stored[..., :length], (0, most - length))[None])[0]
        if whole > most:
            clips = self.kind.clips(x[None])
            told += f", the first {most / clips[0].rate:.3g} s" if clips else f", the first {most:,} symbols"
        return Original(x, None, told, length)
