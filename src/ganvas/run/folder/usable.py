"""RUN as a user writes it; ``latest`` is the newest that a command can use, told before torch is imported."""

from __future__ import annotations

import fnmatch
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.run.folder.lock import is_held
from ganvas.run.folder.run_folder import TOKENIZER, RunFolder, all_runs, find_run

# What a recipe can do. status.json notes it when a run begins; of older runs it is told by their parts.
SAMPLES, LATENTS, RECONSTRUCTS = "samples", "latents", "reconstructs"
_PARTS = {"generator": (SAMPLES, LATENTS), "decoder": (RECONSTRUCTS,), "prior": (SAMPLES,)}


@dataclass(frozen=True)
class Need:
    """What a command needs of a run.

    Attributes:
        abilities: one of these is enough; none: any run will do.
        without: a run that has one of these will not do.
        reason: what is wrong with a run that has none of them, and how to go on.
        checkpoint: whether it reads weights.
        free: whether it writes the run, which no other process may be doing.
        unfinished: whether it goes on with the run as it is.
        curves: whether it reads metrics.jsonl.
    """

    abilities: tuple[str, ...] = ()
    reason: str = ""
    checkpoint: bool = False
    free: bool = False
    unfinished: bool = False
    curves: bool = False
    without: tuple[str, ...] = ()

    def fits(self, folder: RunFolder) -> bool:
        """Whether the run has what is needed, as far as its files tell."""
        if self.checkpoint and not folder.has_weights:
            return False
        if self.curves and not _has_text(folder.path / "metrics.jsonl"):
            return False
        if self.free and is_held(folder.path):
            return False
        if self.unfinished and folder.read_status().get("state") == "finished":
            return False
        return self.is_able(folder)

    def is_able(self, folder: RunFolder) -> bool:
        """Whether the run's recipe can do what is needed; one of which nothing is known is believed."""
        known = abilities(folder) if self.abilities else None
        return known is None or (not known.isdisjoint(self.abilities) and known.isdisjoint(self.without))

    def refusal(self, folder: RunFolder) -> OptionError:
        """That the run cannot do what is needed; where the tokenizer that it holds can, that one's place."""
        own = folder.path / TOKENIZER
        held = RECONSTRUCTS in self.abilities and (own / "run.yaml").is_file()
        how = f"; its tokenizer's run is {own}" if held and self.is_able(RunFolder(own)) else ""
        return OptionError("RUN", folder.path, f"{self.reason}{how}")


ANY = Need()


def _of_a_gan(verb: str) -> Need:
    return Need((LATENTS,), f"has no latents to {verb}; it must be the run of a GAN", checkpoint=True)


def _of_codes(reason: str) -> Need:
    """Of a VQ-VAE or a prior over its codes, which samples, but not from latents."""
    return Need((RECONSTRUCTS, SAMPLES), reason, checkpoint=True, without=(LATENTS,))


_JUDGED = (SAMPLES, RECONSTRUCTS)
NEEDS = {
    "sample": Need(
        (SAMPLES,), "makes no samples from nothing; ganvas reconstruct takes VQ-VAEs", checkpoint=True
    ),
    "interpolate": _of_a_gan("interpolate"),
    "walk": _of_a_gan("walk through"),
    "neighbours": _of_a_gan("find neighbours of"),
    "reconstruct": Need(
        (RECONSTRUCTS,),
        "reconstructs nothing; ganvas sample takes GANs and priors",
        checkpoint=True,
    ),
    "codes": Need(
        (RECONSTRUCTS,),
        "has no codes; it must be the run of a VQ-VAE",
        checkpoint=True,
    ),
    "encode": _of_codes("has no codes; it must be the run of a VQ-VAE, or of a prior over its codes"),
    "decode": _of_codes("has no codes; it must be the run that encoded the file, or leave it out"),
    "evaluate": Need(
        _JUDGED, "neither samples nor reconstructs; there is nothing to evaluate", checkpoint=True
    ),
    "export": Need(checkpoint=True),
    "resume": Need(free=True, unfinished=True),
    "resume with overrides": Need(free=True),
    "plot": Need(curves=True),
    "plot --rate-distortion": Need(
        _JUDGED, "has no codes to count; it must be the run of a VQ-VAE or of a prior", checkpoint=True
    ),
    "plot --modes": Need(
        (LATENTS,),
        "has no modes that can be counted; it must be the run of a GAN on data=toy",
        checkpoint=True,
    ),
    "pictures": Need((SAMPLES,), "draws no codes; it must be the run of a prior over codes", checkpoint=True),
}


def abilities(folder: RunFolder) -> set[str] | None:
    """What the run's recipe can do; None where nothing tells."""
    noted = folder.read_status().get("abilities")
    if isinstance(noted, list) and all(isinstance(one, str) for one in noted):
        return set(noted)
    try:
        model = folder.read_run()["config"]["model"]
    except (OptionError, KeyError, TypeError):
        return None
    return abilities_by_parts(model)


def abilities_by_parts(model: Any) -> set[str] | None:
    """What a recipe can do by the names of its parts; None where they do not tell.

    Args:
        model: the section of a config.
    """
    return {word for part, words in _PARTS.items() if part in model for word in words} or None


def find_usable(name: str, output_dir: Path, need: Need = ANY) -> RunFolder:
    """The run that a user means.

    Args:
        name: a folder, the unique beginning of a run's name, a glob that fits one run, ``latest`` (the newest
            run that the command can use) or ``latest:KIND``: of that model, recipe, data set or experiment.
        output_dir: where runs are looked for by name.
        need: what the command needs.

    Raises:
        OptionError: ``RUN``: none or several fit, or the run cannot be used.
    """
    word, _, kind = name.partition(":")
    if word == "latest" and not (Path(name) / "run.yaml").exists():
        return _newest(name, kind, output_dir, need)
    if glob.has_magic(name) and not Path(name).exists():
        fitting = globbed(name, output_dir)
        some = ", ".join(run.path.name for run in fitting[:3])
        require(len(fitting) == 1, "RUN", name, f"fits {len(fitting)} runs ({some} ...); give more letters")
        found = fitting[0]
    else:
        found = find_run(name, output_dir)
    if not need.is_able(found):
        raise need.refusal(found)
    return found


def globbed(pattern: str, output_dir: Path) -> list[RunFolder]:
    """Folders that fit the pattern, and what is in them; where there is none, runs whose names fit.

    Raises:
        OptionError: ``RUN``: nothing fits.
    """
    found: list[RunFolder] = []
    for path in sorted(Path(word) for word in glob.glob(pattern)):
        if (path / "run.yaml").exists():
            found.append(RunFolder(path))
        elif path.is_dir():
            found += all_runs(path)
    runs = [] if found else all_runs(output_dir)
    found = found or [run for run in runs if run.path.name == pattern]
    found = found or [run for run in runs if fnmatch.fnmatchcase(run.path.name, pattern)]
    if not found:
        raise OptionError("RUN", pattern, f"fits no run; see ganvas runs ls (folder {output_dir})")
    return found


def kinds(folder: RunFolder) -> list[str]:
    """The words by which ``latest:KIND`` may name the run: its model, recipe, data set, experiment's name."""
    choices = folder.choices(folder.read_status())
    words = [choices.get("model"), choices.get("data"), choices.get("experiment")]
    return [word for word in words if isinstance(word, str) and word != "None"]


def _is_kind(folder: RunFolder, kind: str) -> bool:
    """``vqvae`` and ``gan`` name whole families: mlp_vqvae, dcgan."""
    words = kinds(folder)
    is_family = len(kind) > 2 and any(word.endswith(kind) for word in words[:1])
    return kind in (*words, folder.path.parent.name) or is_family


def _newest(name: str, kind: str, output_dir: Path, need: Need) -> RunFolder:
    runs = all_runs(output_dir)[::-1]
    if not runs:
        return find_run("latest", output_dir)  # which refuses it
    if name != "latest":
        there = sorted({word for run in runs for word in kinds(run)})
        runs = [run for run in runs if kind and _is_kind(run, kind)]
        told = f"there are: {', '.join(there)}" if there else "see ganvas runs ls"
        require(bool(runs), "RUN", name, f"no run under {output_dir} is of this kind; {told}")
    fitting = next((run for run in runs if need.fits(run)), None)
    if fitting is not None:
        if fitting != runs[0]:
            say(f"{name}: {fitting.path} (the newest that can be used)", error=True)
        return fitting
    able = next((run for run in runs if need.is_able(run)), None)
    if able is None:
        raise need.refusal(runs[0])
    return able  # what it lacks the command says better


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
