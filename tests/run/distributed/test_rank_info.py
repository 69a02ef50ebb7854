from __future__ import annotations

from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.run.distributed.rank_info import MARK, RankInfo, find_rank, first_host

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "host3",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "2",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[003-004]",
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "3",
}


def test_a_process_of_nobody_is_alone() -> None:
    assert find_rank({}) == RankInfo()
    assert find_rank({"LOCAL_RANK": "1", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}) == RankInfo()
    assert RankInfo().is_first
    RankInfo().check({"devices": 4, "num_nodes": 2})


def test_a_rank_of_torchrun() -> None:
    wanted = RankInfo(
        launcher="torchrun",
        rank=5,
        world=8,
        local_rank=1,
        local_world=4,
        node=1,
        nodes=2,
        address="host3",
        port=29500,
        restart=2,
    )
    assert find_rank(TORCHRUN) == wanted
    assert not wanted.is_first
    assert find_rank(TORCHRUN | {MARK: "1"}).launcher == "ganvas"


def test_a_task_of_slurm() -> None:
    info = find_rank(SLURM)
    assert info == RankInfo(
        launcher="slurm",
        rank=5,
        world=6,
        local_rank=2,
        local_world=3,
        node=1,
        nodes=2,
        address="gpu003",
        port=15000 + 77 * 31 + 3,
    )
    chosen = find_rank(SLURM | {"MASTER_ADDR": "other", "MASTER_PORT": "1234"})
    assert (chosen.address, chosen.port) == ("other", 1234)
    with pytest.raises(OptionError, match="different numbers of tasks"):
        find_rank(SLURM | {"SLURM_STEP_NUM_TASKS": "7"})


@pytest.mark.parametrize(
    ("listed", "first"),
    [("a", "a"), ("a,b", "a"), ("gpu[003-005,9],cpu1", "gpu003"), ("n[7,9]-ib,x", "n7-ib"), ("c,n[7]", "c")],
)
def test_the_first_host_of_a_list(listed: str, first: str) -> None:
    assert first_host(listed) == first


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_PORT"])
def test_what_is_no_number(name: str) -> None:
    with pytest.raises(OptionError, match=f"^{name}=x: is no number that a launcher"):
        find_rank(TORCHRUN | {name: "x"})


@pytest.mark.parametrize("text", ["x", "-1", "1.0", "\u0661", "9" * 5000, "~nosuchuser", "1\x1b[2J", " 1"])
@pytest.mark.parametrize("name", [*TORCHRUN, *SLURM])
def test_a_launchers_variable_is_refused_by_its_name(name: str, text: str) -> None:
    given = TORCHRUN if name in TORCHRUN else SLURM
    if name == "SLURM_STEP_NODELIST" or (name == "MASTER_ADDR" and text in ("x", "-1", "1.0", "9" * 5000)):
        return  # what may be a machine's name
    with pytest.raises(OptionError, match=f"^{name}=") as refused:
        find_rank(given | {name: text})
    assert len(str(refused.value)) < 200
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RANK", "8"),
        ("LOCAL_RANK", "4"),
        ("MASTER_PORT", "65536"),
        ("WORLD_SIZE", "0"),
        ("LOCAL_WORLD_SIZE", "9"),
    ],
)
def test_a_number_beyond_what_it_counts(name: str, text: str) -> None:
    with pytest.raises(OptionError, match=f"^{name}={text}: is beyond .*; unset the variable"):
        find_rank(TORCHRUN | {name: text})


@pytest.mark.parametrize(("name", "text"), [("SLURM_PROCID", "6"), ("SLURM_NODEID", "2")])
def test_a_number_of_slurms_beyond_what_it_counts(name: str, text: str) -> None:
    with pytest.raises(OptionError, match=f"^{name}={text}: is beyond"):
        find_rank(SLURM | {name: text})


def test_a_task_of_slurm_that_says_no_number_of_tasks() -> None:
    with pytest.raises(OptionError, match=r"^SLURM_STEP_NUM_TASKS=x: is no number"):
        find_rank({"SLURM_STEP_NUM_TASKS": "x"})
    assert find_rank({"SLURM_STEP_NUM_TASKS": ""}) == RankInfo()


@pytest.mark.parametrize(
    ("devices", "nodes"), [(4, 2), ("4", 2), ("auto", 2), ([0, 1, 2, 3], 2), ("many", 2)]
)
def test_options_that_agree_with_the_launcher(devices: Any, nodes: int) -> None:
    find_rank(TORCHRUN).check({"devices": devices, "num_nodes": nodes})


@pytest.mark.parametrize(
    ("devices", "nodes", "text"),
    [
        (1, 1, r"devices=1: torchrun has started 8 processes, .* add accelerator=ddp"),
        (
            4,
            1,
            r"num_nodes=1: .* on 2 machines; set accelerator.num_nodes=2, or .*--nnodes=1 --nproc_per_node=4",
        ),
        (2, 2, r"devices=2: .* 4 processes on each .*devices=4 \(or auto\), .*--nnodes=2 --nproc_per_node=2"),
        ([0, 1], 2, r"devices=\[0, 1\]: "),
    ],
)
def test_options_that_do_not(devices: Any, nodes: int, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        find_rank(TORCHRUN).check({"devices": devices, "num_nodes": nodes})


def test_torchrun_without_a_port() -> None:
    with pytest.raises(OptionError, match=r"^MASTER_PORT=0: .*standalone"):
        find_rank(TORCHRUN | {"MASTER_PORT": "0"}).check({"devices": 4, "num_nodes": 2})
