from __future__ import annotations

import os

import pytest

from ganvas.run.distributed.interface_name import choose_interface, interface_to
from ganvas.run.distributed.rank_info import RankInfo


def test_the_interface_that_leads_to_a_machine() -> None:
    assert interface_to("127.0.0.1") == "lo"
    assert interface_to("no.such.host.invalid") is None


def test_a_user_may_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
    for name in names:
        monkeypatch.setenv(name, "x")  # put back afterwards
        monkeypatch.delenv(name)
    choose_interface(RankInfo(launcher="ganvas", nodes=1))
    assert not any(name in os.environ for name in names)
    choose_interface(RankInfo(launcher="ganvas", world=2, nodes=2))
    assert os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")
    choose_interface(RankInfo(launcher="ganvas", world=2, nodes=2))
    assert os.environ["GLOO_SOCKET_IFNAME"] == "ib0"
