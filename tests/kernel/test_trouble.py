"""
Trouble on the link: what cannot be sent is counted (case 69), and nothing spins.
"""

from __future__ import annotations

import re
import signal
import time
from typing import Any

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import eventually
from tests.kernel.twistd import Twistd, cpuSecondsOf
from tests.kernel.wire import solicitation

MANY = 300
REACTORS = ("epoll", "asyncio", "select", "poll")
WINDOW = 1.5
"""Seconds for which processors are watched."""

MOST_CPU = 0.3
"""Seconds of a processor in that time; who spins uses more than four times as much."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def targets(count: int) -> list[str]:
    """
    Addresses that nobody has asked for yet.
    """
    return [f"2001:db8::69:{number:x}" for number in range(1, count + 1)]


class NotSentTests(KernelTestCase):
    """
    The line at the end of the service tells how many replies were not sent, and why.
    """

    def counted(self, service: Twistd, word: str) -> dict[str, int]:
        """
        End the service, and read a part of the line.

        @param word: what the part begins with.
        """
        service.stop()
        self.assertNotIn("Traceback", service.log())
        found = re.search(rf"{word}: ([^;]*)", service.log())
        assert found is not None, service.log()
        pairs = re.findall(r"(\w+) (\d+)", found[1])
        return {name: int(number) for name, number in pairs}

    def test_case69_fullQueue(self) -> None:
        """
        ENOBUFS: the queue of the interface is full. What was sent and what was not is all that was
        answered, and it goes on afterwards.
        """
        lab = self.makeLab()
        service = lab.start()
        wire = lab.wire()
        wire.fence()
        slow = "qdisc add dev eth0 root tbf rate 8kbit burst 2000 limit 100"
        lab.server.run("tc", *slow.split())
        for target in targets(MANY):
            wire.send(solicitation(target))
        eventually(lambda: self.dropped(lab) > 0)
        # As many as are left of MANY must have been taken before the queue is wide again.
        eventually(lambda: self.taken(lab) >= MANY)
        lab.server.run("tc", "qdisc", "del", "dev", "eth0", "root")
        wire.fence()
        answered = sum(len(wire.advertisements(target)) for target in targets(MANY))
        service.stop()
        lost = self.counted(service, "replies not sent")
        self.assertEqual(set(lost), {"ENOBUFS"})
        self.assertGreater(lost["ENOBUFS"], 0)
        self.assertGreater(answered, 0)
        # What the queue held when it was removed is gone, too: one frame fits into it.
        self.assertIn(answered + lost["ENOBUFS"], (MANY - 1, MANY))
        self.assertGreaterEqual(self.counted(service, "frames")["advertised"], MANY)

    def dropped(self, lab: Lab) -> int:
        """
        How many frames the slow queue has refused.
        """
        return self._ofQueue(lab, r"dropped (\d+)")

    def taken(self, lab: Lab) -> int:
        """
        How many frames were given to the slow queue: sent on, refused, or waiting.
        """
        sent = self._ofQueue(lab, r"Sent \d+ bytes (\d+) pkt")
        return sent + self.dropped(lab) + self._ofQueue(lab, r"backlog \d+b (\d+)p")

    def _ofQueue(self, lab: Lab, pattern: str) -> int:
        text = lab.server.run("tc", "-s", "qdisc", "show", "dev", "eth0").stdout
        found = re.search(pattern, text)
        assert found is not None, text
        return int(found[1])

    def test_case69_linkDown(self) -> None:
        """
        ENETDOWN: the link goes down while solicitations wait for their answers. After it is up
        again it goes on.
        """
        lab = self.makeLab()
        service = lab.start()
        wire = lab.wire()
        wire.fence()
        service.process.send_signal(signal.SIGSTOP)
        eventually(lambda: self.state(service) == "T")
        for target in targets(50):
            wire.send(solicitation(target))
        lab.server.ip("link set eth0 down")
        service.process.send_signal(signal.SIGCONT)
        eventually(lambda: self.sleeps(service))
        lab.server.ip("link set eth0 up")
        lab.configureServer()
        eventually(lambda: lab.ping("2001:db8::cafe", wait=0.5).received)
        lost = self.counted(service, "replies not sent")
        self.assertEqual(lost, {"ENETDOWN": 50})

    def sleeps(self, service: Twistd) -> bool:
        """
        Tell whether a process has nothing more to do: it sleeps, and still does a moment later.
        """
        for _ in range(5):
            if self.state(service) != "S":
                return False
            time.sleep(0.01)
        return True

    def state(self, service: Twistd) -> str:
        """
        The state of a process, as ps(1) has it: T when it is stopped.
        """
        with open(f"/proc/{service.process.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]


class NothingSpinsTests(KernelTestCase):
    """
    A descriptor with an error that nobody takes would keep a process busy for ever.
    """

    def setUp(self) -> None:
        """
        Make a lab for each reactor, all of which are watched at once.
        """
        super().setUp()
        self.services: dict[str, Twistd] = {}
        self.labs: list[Lab] = []
        for reactor in REACTORS:
            lab = self.makeLab()
            self.labs.append(lab)
            self.services[reactor] = lab.start(twistd=(f"--reactor={reactor}",))

    def assertQuiet(self) -> None:
        """
        All of them sleep.
        """
        before = {name: cpuSecondsOf(s.process.pid) for name, s in self.services.items()}
        time.sleep(WINDOW)
        for name, service in self.services.items():
            self.assertIsNone(service.process.poll(), name)
            used = cpuSecondsOf(service.process.pid) - before[name]
            self.assertLess(used, MOST_CPU, f"{name}: {service.log()}")
            self.assertNotIn("Traceback", service.log(), name)

    def test_afterTheLinkWentDown(self) -> None:
        """
        The packet socket has ENETDOWN.
        """
        for lab in self.labs:
            self.assertAnsweredOnce(lab.ping("2001:db8::cafe"))
            lab.server.ip("link set eth0 down")
        self.assertQuiet()

    def test_afterTheInterfaceWasDeleted(self) -> None:
        """
        Nothing is answered, and one line says so; then it is made again, and all goes on.
        """
        for lab in self.labs:
            lab.server.ip("link del eth0")
            eventually(lambda lab=lab: "eth0 is gone" in lab.services[0].log())
        self.assertQuiet()
        for lab in self.labs:
            eventually(lambda lab=lab: "eth0" not in lab.router.ip("-o link show"))
            lab.join()
            eventually(lambda lab=lab: lab.ping("2001:db8::cafe", wait=0.5).received)
        self.assertQuiet()
