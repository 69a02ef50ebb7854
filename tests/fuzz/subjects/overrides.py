"""Overrides of a command line."""

from __future__ import annotations

import random
from pathlib import Path

from subject import Reader, Subject, command
from world import World

_KEYS = """seed model data trainer callback logger accelerator name experiment allow_imports
        model.latent_dim model.generator.hidden_dim model/generator model/ema model.generator_optimizer.lr
        data.batch_size data.root data.num_workers data.image_size trainer.max_examples paths.run_dir
        metric/features metric/samples optimized_metric sweep.repeats hydra.launcher.n_jobs hydra/sweeper
        hydra.sweep.dir hydra.run.dir hydra.sweeper.n_trials hydra/launcher nosuchkey model.nosuch""".split()
_VALUES = [
    *"""1 0 -1 1.5 1e400 nan null true x '' [1,2] [[1],{a:2}] {a:1} 1,2 range(1,3) choice(1,2)
        interval(0,1) range(1,1) glob(*) sort(2,1) shuffle(1,2) tag(a,1) float(x) int(1.5) cast( ${seed}
        ${model} ${oc.env:HOME} ${nosuch} ${a:${b}} ${ } mlp_gan mlp_vqvae digits toy none optuna slurm
        ray 1:30 a=b range(0,1000000000) range(1,1000) x/y /etc/passwd ~nosuchuser {x..y} %s ' \\""".split(),
    *('"a b"', "&a [*a]", "a\nb", "\x1b[2J", "é\u202e", "\udc80"),
    *("x" * 5000, "0x" + "f" * 6000, "9" * 5000, "[" * 3000, "{a:" * 500, "a" + "/b" * 200),
]
_SENSIBLE = """seed=1,2 model=mlp_vqvae model=dcgan data=toy data=digits trainer=smoke
        model.latent_dim=2,4 name=x hydra/sweeper=optuna model.latent_dim=interval(1,9)
        optimized_metric=evaluation/fid sweep.repeats=2 +x=1 model/ema=none ~callback.preview
        callback=none hydra.sweeper.n_trials=3""".split()
_SIGNS = "[ ] { } , ' \" \\ $ ( ) : =".split()
PROBED = ("outputs",)  # and whether that could be made
GIT = ("git",)  # which commit is planned
_MARKS = ["", "", "", "", "", *"+ ++ ~ @ = . / - --".split()]


def word(draws: random.Random) -> str:
    """An override that may be one."""
    if draws.random() < 0.4:
        return draws.choice(_SENSIBLE)
    key = draws.choice(_MARKS) + draws.choice(_KEYS)
    if draws.random() < 0.1:
        key = key + draws.choice((".", "@x", "@_global_", "[0]", "=", " ", "\n", "\x00", ":", "${x}"))
    if draws.random() < 0.05:
        return key
    text = draws.choice(_VALUES)
    for _ in range(draws.choice((0, 0, 0, 1, 2))):
        at = draws.randrange(len(text) + 1)
        text = text[:at] + draws.choice(_SIGNS) + text[at:]
    return f"{key}={text}"


def _lay_overrides(world: World, folder: Path, draws: random.Random) -> Reader:
    """What is planned is composed and checked, and not run."""
    words = [word(draws) for _ in range(draws.choice((1, 1, 2, 3)))]
    more = ["--json"] if draws.random() < 0.2 else []
    return command("sweep", "plan", *more, *words, writes=PROBED, programs=GIT)


SUBJECTS = [Subject("overrides", "overrides of a command line: sweep plan", _lay_overrides)]
