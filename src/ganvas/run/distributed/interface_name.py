"""The network interface that leads to the other machines: gloo and NCCL would look up the host's name."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from ganvas.run.distributed.rank_info import RankInfo

_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
_SIOCGIFADDR = 0x8915


def choose_interface(info: RankInfo) -> None:
    """Names the interface to gloo and NCCL, where there are several machines and the user named none."""
    if info.nodes == 1 or any(name in os.environ for name in _VARIABLES):
        return
    name = interface_to(info.address)
    if name is not None:
        os.environ |= dict.fromkeys(_VARIABLES, name)


def interface_to(host: str) -> str | None:
    """The interface whose address this machine takes to talk to ``host``; None where it cannot be told."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))  # no packet is sent
            own = probe.getsockname()[0]
            for _, name in socket.if_nameindex():
                if _address(probe, name) == own:
                    return name
    except OSError:
        return None
    return None


def _address(probe: socket.socket, name: str) -> str | None:
    try:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
    except OSError:  # it has none
        return None
    return socket.inet_ntoa(answer[20:24])
