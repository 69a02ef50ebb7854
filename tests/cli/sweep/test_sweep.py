"""``ganvas sweep`` and ``ganvas train -m``: what is refused, what is planned, what is told."""

from __future__ import annotations

import json
import resource
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import compose
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.show import show_end
from ganvas.sweep.manifest import Draft, Manifest
from ganvas.sweep.summary import results

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")


@pytest.mark.parametrize(
    "words",
    [
        ["model=dcgan", "data=digits", "seed=3", "model.latent_dim=7"],
        ["model=mlp_vqvae", "model/quantizer=fsq", "~callback.preview", "model.quantizer.levels=[8,8]"],
        ["experiment=quickstart_gan", "model.generator_optimizer.lr=0.5", "name=x"],
        ["callback=[minimal,charts]", "+new=1", "optimized_metric=evaluation/fid"],
    ],
)
def test_a_job_is_what_train_composes(words: list[str]) -> None:
    """Hydra walks the defaults once for each choice of groups; the rest is put on top."""
    with hydra_session(None) as hydra:
        composer = Composer(hydra)
        composer.compose(words[:1])
        ours = composer.compose(words)
    theirs = compose([*words, "paths.run_dir='<run>'"])
    assert (ours.config, ours.choices, ours.origins) == (theirs.config, theirs.choices, theirs.origins)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["seed=range(1,1)"], "seed=range(1,1): lists no value at all: the grid is empty; give some"),
        (
            ["model.latent_dim=interval(1,9)"],
            "model.latent_dim=interval(1,9): lists no values; write a,b,c, or",
        ),
        (["seed=1,2", "hydra.launcher.n_jobs=1000"], "hydra.launcher.n_jobs=1000: this machine has "),
        (["seed=1,2", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0: must be at least 1"),
        (["seed=1,2", "hydra.launcher.n_jobs=x"], "hydra.launcher.n_jobs=x: must be a whole number"),
        (["seed=1,2", "hydra.launcher.njobs=1"], "hydra.launcher.njobs=1: there is no such key"),
        (["seed=1,2", "hydra.launcher.timeout=5"], "hydra.launcher.timeout=5: must be HH:MM:SS"),
        (["seed=1,2", "hydra.launcher.timeout='00:00:00'"], "hydra.launcher.timeout="),
        (["seed=1,2", "hydra.launcher.retries=-1"], "hydra.launcher.retries=-1: must be 0 or more"),
        (
            ["seed=1,2", "hydra.launcher.on_error=cry"],
            "hydra.launcher.on_error=cry: there are: continue, stop",
        ),
        (["seed=1,2", "hydra.launcher.gpu_pool=[0,9]"], "hydra.launcher.gpu_pool=[0, 9]: there is no GPU 9"),
        (
            ["seed=1,2", "hydra.launcher.gpu_pool=auto", "hydra.launcher.n_jobs=3"],
            "hydra.launcher.n_jobs=3: the pool",
        ),
        (
            ["seed=1,2", "hydra/launcher=basic"],
            "hydra/launcher=basic: runs jobs inside of the sweep's process",
        ),
        (["seed=1,2", "hydra/launcher=isolatde"], "hydra/launcher=isolatde: there is no such option"),
        (
            ["hydra.launcher.n_jobs=1,2"],
            "hydra.launcher.n_jobs=1,2: cannot differ between the jobs of one sweep",
        ),
        (["sweep.repeats=0"], "sweep.repeats=0: must be a whole number from 1"),
        (["sweep.repeats=2", "seed=1,2"], "sweep.repeats=2: gives the seeds itself"),
        (["seed=1,2", "hydra.sweep.dir=full"], "hydra.sweep.dir=full: holds other files than a sweep's"),
        (["seed=1,2", "optimized_mode=down"], "optimized_mode=down: must be min"),
    ],
)
@pytest.mark.parametrize("command", [("train", "-m"), ("sweep", "plan")])
def test_a_wrong_word_is_refused_and_nothing_written(
    command: tuple[str, ...],
    words: list[str],
    line: str,
    ganvas,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    done = ganvas(*command, *words, *SMOKE, code=2)
    assert done.stderr.startswith(line), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]
    assert len(list((tmp_path / "full").iterdir())) == 1


def test_a_sweeper_of_anothers_is_refused(ganvas, tmp_path: Path) -> None:
    """What it learns would end with its process: such a sweep could not be resumed."""
    (tmp_path / "conf" / "hydra" / "sweeper").mkdir(parents=True)
    target = "hydra_plugins.halves_sweeper.Halves"
    (tmp_path / "conf" / "hydra" / "sweeper" / "halves.yaml").write_text(f"_target_: {target}\n")
    words = ("hydra/sweeper=halves", "optimized_metric=evaluation/fid", *SMOKE, "--config-dir", "conf")
    for command in (("train", "-m"), ("sweep", "plan")):
        done = ganvas(*command, *words, code=2)
        assert done.stderr.startswith("hydra/sweeper=halves: is no sweeper of ganvas's"), done.stderr
        assert "there are: basic, optuna" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_a_launcher_of_the_users(ganvas, tmp_path: Path) -> None:
    """It is held against the signature of the class that it builds on, which must be one of ganvas's."""
    folder = tmp_path / "conf" / "hydra" / "launcher"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("defaults: [isolated]\nn_jobs: 2\n")
    words = ("sweep", "plan", "hydra/launcher=mine", "seed=1,2", *SMOKE, "--config-dir", "conf")
    assert "2 at a time" in ganvas(*words).stdout
    (folder / "mine.yaml").write_text("defaults: [isolated]\nn_jbs: 2\n")
    assert ganvas(*words, code=2).stderr.startswith(
        "hydra.launcher.n_jbs=2: is not an option of hydra.launcher; did"
    )
    for target in ("JobLauncher", "Nothing", "Any", "make_launcher"):
        (folder / "mine.yaml").write_text(f"_target_: ganvas.cli.sweep.launchers.{target}\n")
        assert ganvas(*words, code=2).stderr.startswith("hydra/launcher=mine: runs jobs inside of")


def test_hydra_itself_runs_no_sweep(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "-m", "--resolve", "seed=1,2", *SMOKE, code=2)
    assert done.stderr.startswith("--multirun=: has no one config to print")
    assert list(tmp_path.iterdir()) == []


def test_repeats_are_for_sweeps(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "sweep.repeats=3", *SMOKE, code=2)
    assert done.stderr.startswith("sweep.repeats=3: ")
    assert not (tmp_path / "outputs").exists()


def test_a_plan_says_what_would_run(ganvas, tmp_path: Path) -> None:
    words = ("model.latent_dim=2,4", "model=mlp_gan", "sweep.repeats=3", "seed=5", *SMOKE)
    done = ganvas("sweep", "plan", *words)
    assert "6 jobs (2 combinations x 3 seeds), 1 at a time" in done.stdout
    assert "time: not known" in done.stdout
    assert list(tmp_path.iterdir()) == []
    listed = json.loads(ganvas("sweep", "plan", "--json", *words, "hydra.launcher.n_jobs=2").stdout)
    assert [job["differs"] for job in listed["jobs"]][1:4] == [
        ["model.latent_dim=2", "seed=6"],
        ["model.latent_dim=2", "seed=7"],
        ["model.latent_dim=4", "seed=5"],
    ]
    assert [job["variant"] for job in listed["jobs"]] == [0, 0, 0, 1, 1, 1]
    assert len({job["key"] for job in listed["jobs"]}) == 6
    assert listed["at_a_time"] == 2


def test_a_plan_tells_the_time_by_earlier_runs(ganvas, tmp_path: Path) -> None:
    """Two runs of 100 and 300 examples a second; two jobs of 64,000 examples at 200 examples a second."""
    for name, seconds in (("a", 10.0), ("b", 10 / 3)):
        run = tmp_path / "outputs" / "train" / name
        run.mkdir(parents=True)
        choices = {"model": "mlp_gan", "data": "digits"}
        (run / "run.yaml").write_text(yaml.safe_dump({"ganvas": {"choices": choices}, "config": {}}))
        (run / "status.json").write_text(
            json.dumps({"state": "finished", "examples_seen": 1000, "seconds": seconds})
        )
    words = ("seed=1,2", "trainer.max_examples=64000")
    listed = json.loads(ganvas("sweep", "plan", "--json", *words).stdout)
    assert listed["seconds"] == pytest.approx(2 * 64000 / 200)
    text = ganvas("sweep", "plan", *words).stdout
    assert "time: about 11 min, by the pace of 2 finished runs" in text
    other = json.loads(ganvas("sweep", "plan", "--json", *words, "model=mlp_vqvae").stdout)
    assert other["seconds"] is None


def test_the_same_job_twice_is_one_job(ganvas, tmp_path: Path) -> None:
    listed = json.loads(ganvas("sweep", "plan", "--json", "seed=1,1,2", *SMOKE).stdout)
    assert [job["differs"] for job in listed["jobs"]] == [["seed=1"], ["seed=2"]]


def make_sweep(folder: Path, number: int, finished: int) -> Manifest:
    """A sweep of ``number`` jobs on disk; the first ``finished`` of them are."""
    with hydra_session(None) as hydra:
        base = Composer(hydra).compose(["optimized_metric=evaluation/fid"])
    sweep = Manifest(folder, {"sweep_overrides": ["seed=range(0,n)"], "shared": []})
    sweep.add(
        [
            Draft(base.config | {"seed": n}, base.choices, base.origins, [f"seed={n}"], f"seed-{n}", n)
            for n in range(number)
        ]
    )
    sweep.write()
    for job in sweep.jobs[:finished]:
        best = {
            "metric": "evaluation/fid",
            "mode": "min",
            "value": 1.0 + (job.index - 3) ** 2,
            "examples": 64,
        }
        summary = {"examples_seen": 640, "seconds": 1.0, "metrics": {"fid": 2.0}, "optimized": best}
        record = {"attempts": [{"began": "x", "pid": 1, "host": "h", "code": 0}], "summary": summary}
        (folder / "jobs" / f"{job.index:03d}.json").write_text(json.dumps(record))
    return sweep


def test_what_is_told_of_a_sweep(ganvas, tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "x" / "20260101-000000_sweep-a"
    make_sweep(folder, 8, 6)
    make_sweep(tmp_path / "outputs" / "x" / "20260102-000000_sweep-b", 3, 0)
    (tmp_path / "outputs" / "x" / "20260103-000000_sweep-c").mkdir()
    (tmp_path / "outputs" / "x" / "20260103-000000_sweep-c" / "sweep.json").write_text("{")
    lines = ganvas("sweep", "ls").stdout.splitlines()
    assert lines[0] == "20260101-000000_sweep-a  8 jobs: 6 finished, 2 waiting"
    assert lines[1] == "20260102-000000_sweep-b  3 jobs: 3 waiting"
    assert lines[2].startswith("20260103-000000_sweep-c  broken: its sweep.json cannot be read")
    told = ganvas("sweep", "status", "20260101").stdout
    assert "best: job 3 (seed=3), evaluation/fid 1, " in told
    ranked = json.loads(ganvas("sweep", "best", str(folder), "--json").stdout)
    assert [one["jobs"] for one in ranked[:3]] == [[3], [2], [4]]
    assert ganvas("sweep", "best", "20260101").stdout.splitlines()[0].split()[:3] == [
        "1.",
        "evaluation/fid",
        "1",
    ]
    assert "evaluation/fid" in ganvas("sweep", "best", "20260102", code=2).stderr
    assert ganvas("sweep", "status", "nothing", code=2).stderr.startswith(
        "SWEEP=nothing: no sweep's name begins so"
    )
    assert ganvas("sweep", "status", "2026", code=2).stderr.startswith("SWEEP=2026: fits 3 sweeps")
    assert ganvas("sweep", "resume", "20260101", "9", code=2).stderr.startswith(
        "JOB=[9]: the sweep has jobs 0 to 7"
    )
    frozen = ganvas("sweep", "resume", "20260101", "seed=9", code=2).stderr
    assert frozen.startswith("seed=9: is frozen in this sweep")
    assert ganvas("sweep", "staus", code=2).stderr.startswith(
        "ganvas sweep=staus: there is no such command; there are"
    )


def test_a_sweep_of_another_is_left_alone(ganvas, tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "there", 3, 0)
    before = (tmp_path / "there" / "sweep.json").read_bytes()
    done = ganvas("train", "-m", "seed=1,2", *SMOKE, "hydra.sweep.dir=there", code=2)
    assert done.stderr.startswith("hydra.sweep.dir=there: holds another sweep (3 jobs: seed=range(0,n))")
    assert (tmp_path / "there" / "sweep.json").read_bytes() == before
    assert ganvas("job", "there", "3", code=2).stderr.startswith("INDEX=3: the sweep has jobs 0 to 2")
    assert ganvas("job", "nowhere", "0", code=2).stderr.startswith("SWEEP=nowhere: holds no sweep.json")
    assert sweep.jobs[0].name == "000_seed-0"


def test_a_sweep_that_runs_is_not_run_again(ganvas, tmp_path: Path) -> None:
    from ganvas.run.folder.lock import RunLock

    make_sweep(tmp_path / "there", 1, 0)
    with RunLock(tmp_path / "there"):
        done = ganvas("sweep", "resume", "there", code=2)
    assert done.stderr.startswith("SWEEP=there: is being written by process ")


def test_a_full_disk_takes_no_ranking(ganvas, tmp_path: Path) -> None:
    """What was found is printed, and the file that could not be written is told in a line."""
    folder = tmp_path / "outputs" / "x" / "20260101-000000_sweep-a"
    sweep = make_sweep(folder, 8, 6)
    told = ganvas("sweep", "best", str(folder)).stdout
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    out = "conf/experiment/best.yaml"
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        done = ganvas("sweep", "best", str(folder), "--save", out, code=1)
        with redirect_stdout(StringIO()) as shown, redirect_stderr(StringIO()) as error:
            code = show_end(sweep, results(sweep)[:6])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.stdout == told
    assert done.stderr == f"--save={out}: cannot be written (File too large); name another, or make room\n"
    assert not (tmp_path / "conf").exists()
    line = f"SWEEP={folder}/results.csv: cannot be written (File too large); make room; ganvas sweep status"
    assert error.getvalue() == f"{line} shows the same\n"
    assert "best: job 3 (seed=3), evaluation/fid 1" in shown.getvalue()
    assert code == 1
    assert not (folder / "results.csv").exists()
