"""
The lab with more around it: a container behind the server, a second link, other programs.
"""

from __future__ import annotations

from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from tests.kernel.foreground import Foreground
from tests.kernel.lab import Lab
from tests.kernel.namespaces import ROUTER_LAYER, Namespace, eventually, makeLink
from tests.kernel.wire import Wire

BRIDGE = "br0"
"""What the containers are attached to, on the server."""

_ALL_NODES, _ALL_NODES_LINK_LAYER = "ff02::1", "33:33:00:00:00:01"


class WiderLab(Lab):
    """
    A lab, and what is added to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._container = Namespace("container")
        self._programs: list[Foreground] = []

    def close(self) -> None:
        """
        End what runs, and remove everything.
        """
        for program in self._programs:
            program.stop()
        self._container.remove()
        super().close()

    def container(self, part: str, inside: str) -> None:
        """
        Make a container behind the server, which forwards.

        @param part: what the server routes to the containers.
        @param inside: the address of this one.
        """
        server, container = self.server, self._container
        container.make()
        server.ip(f"link add {BRIDGE} type bridge")
        server.ip(f"link set {BRIDGE} addrgenmode none")
        server.ip(f"link set {BRIDGE} up")
        server.ip(f"link add port type veth peer name eth0 netns {container.name}")
        server.ip(f"link set port master {BRIDGE} addrgenmode none up")
        container.ip("link set eth0 addrgenmode none up")
        server.ip(f"address add fe80::c/64 dev {BRIDGE} nodad")
        container.ip("address add fe80::cc/64 dev eth0 nodad")
        container.ip(f"address add {inside}/128 dev eth0 nodad")
        container.ip("route add default via fe80::c dev eth0")
        server.ip(f"route add {part} dev {BRIDGE}")
        server.sysctl("conf/all/forwarding", 1)
        eventually(lambda: "LOWER_UP" in server.ip(f"link show dev {BRIDGE}"), what="bridge up")

    def secondLink(self) -> None:
        """
        Make another link between the router and the server, eth1.
        """
        makeLink(self.router, self.server, "eth1")

    def learnRoutes(self, *interfaces: str) -> None:
        """
        Have the server learn default routes from router advertisements.
        """
        for interface in interfaces:
            self.server.sysctl(f"conf/{interface}/accept_ra", 1)
            address = f"fe80::{interface[-1]}:1"
            advertisement = (
                Ether(src=ROUTER_LAYER, dst=_ALL_NODES_LINK_LAYER)
                / IPv6(src=address, dst=_ALL_NODES, hlim=255)
                / ICMPv6ND_RA(routerlifetime=1800)
                / ICMPv6NDOptSrcLLAddr(lladdr=ROUTER_LAYER)
            )
            wire = Wire(self.router, interface)
            try:
                # An interface that was just made takes router advertisements a moment later.
                def learned(interface: str = interface, wire: Wire = wire) -> str:
                    wire.send(advertisement)  # noqa: B023
                    return self.server.ip(f"-6 route show default proto ra dev {interface}")

                eventually(learned)
            finally:
                wire.close()

    def spawn(self, *command: str) -> Foreground:
        """
        Run a program on the server until the lab is closed.
        """
        output = self.directory / f"output-{len(self._programs)}"
        program = Foreground(self.server, output, *command)
        self._programs.append(program)
        return program
