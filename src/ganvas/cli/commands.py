"""The commands by name: one thin file each, which :func:`module_of` finds."""

from __future__ import annotations

COMMANDS = {
    "train": "train what config groups compose; -m sweeps; resume=RUN continues",
    "check": "a few batches on the CPU: whether an experiment works, and what it costs",
    "pipeline": "several stages by one command: a tokenizer, a prior on its codes, samples",
    "resume": "continue a run in its own folder, or a pipeline in its",
    "sample": "samples of a GAN as an image or an array",
    "reconstruct": "originals and reconstructions of a VQ-VAE",
    "codes": "what each code of a VQ-VAE decodes to, by use; codes swapped between images",
    "pictures": "how a prior draws: temperatures, the order of codes, samples completed from a half",
    "encode": "pictures as a file of codes (.gvq), by a VQ-VAE and a prior; --lossless keeps every bit",
    "decode": "the pictures of a file of codes",
    "interpolate": "rows of samples from one latent to another",
    "walk": "a round trip through latents as an animation",
    "neighbours": "samples beside the training images nearest to them",
    "evaluate": "metrics of a run, with their protocol",
    "export": "a run for other tools: safetensors, ONNX, torch.export, a folder with a model card",
    "shards": "images of a data set as tar shards for data=webdataset",
    "sweep": "many runs: plan, run, status, resume, retry, best, ls",
    "job": "one attempt at one job of a sweep, or at a stage of a pipeline",
    "compare": "metrics of several runs over their seeds, ranked: text, CSV, JSON, HTML",
    "plot": "curves of losses and metrics as an image",
    "play": "a local page to look at runs and to play with what they have learned",
    "runs": "ls, show, diff, rm: what there is",
    "options": "config groups, their options, keys, defaults and what they mean",
    "init": "a small project of your own that trains at once",
    "completion": "tab completion for bash, zsh and fish",
}
ROOMS = {
    "before_training": ("init", "check"),
    "runs": ("runs",),
    "trained": (
        *("sample", "reconstruct", "codes", "encode", "decode", "interpolate", "walk", "neighbours"),
        *("evaluate", "export"),
    ),
    "pictures": ("pictures",),
    "page": ("play",),
    "sweep": ("sweep", "job"),
    "pipeline": ("pipeline",),
    "shell": ("completion",),
}


def module_of(command: str) -> str:
    """The module whose ``run(overrides)`` is the command."""
    room = next((f"{room}." for room, commands in ROOMS.items() if command in commands), "")
    return f"ganvas.cli.{room}{command}"
