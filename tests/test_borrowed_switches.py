"""
Switches that are changed while prefix64 runs: put back exactly, at whatever moment it is killed.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import RoutingError, StateError
from prefix64.kernel.borrowed import BorrowedSwitches
from prefix64.kernel.messages import Link
from prefix64.kernel.switch_record import Changed, SwitchRecord
from prefix64.link.packet_socket import ETHERNET
from prefix64.routing.entries import Sysctl
from prefix64.testing import MemoryKernel

examples = settings(max_examples=100, deadline=None, derandomize=True)

ETH0 = 2
SWITCHES = ("accept_ra", "forwarding", "proxy_ndp")
REFUSED = RoutingError("sysctl: Invalid argument")
FULL = StateError("--state: what sysctls were cannot be written down: No space left on device")


class Killed(BaseException):
    """
    The process is killed: nothing of it happens any more.
    """


class Mortal:
    """
    What may be done until the process is killed.

    @ivar left: how many things.
    @ivar afterwards: whether the last of them has its effect.
    """

    def __init__(self, left: int = 1 << 30, afterwards: bool = False) -> None:
        self.left, self.afterwards = left, afterwards

    def step(self) -> bool:
        """
        @return: whether to die behind this step.
        @raise Killed: it is too late.
        """
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.left == 0 and self.afterwards


class MortalKernel(MemoryKernel):
    """
    A kernel with three interfaces, and switches that a process sets as long as it lives.
    """

    life = Mortal()

    def __init__(self) -> None:
        super().__init__()
        self.links.append(Link("eth1", 3, ETHERNET, b"\x02\0\0\0\0\x03", True))
        for name in SWITCHES:
            self.switches["eth1", name] = self.switches["eth0", name]

    def setSwitch(self, sysctl: Sysctl) -> None:
        late = self.life.step()
        super().setSwitch(sysctl)
        if late:
            raise Killed


class MortalRecord(SwitchRecord):
    """
    A record that a process writes as long as it lives.
    """

    life = Mortal()

    def write(self, changed: list[Changed], index: int) -> None:
        late = self.life.step()
        super().write(changed, index)
        if late:
            raise Killed


class Case(SynchronousTestCase):
    """
    A kernel, and a state directory.
    """

    def setUp(self) -> None:
        self.directory = self.mktemp()
        Path(self.directory).mkdir()
        self.kernel = MortalKernel()

    def borrowed(self, life: Mortal | None = None) -> BorrowedSwitches:
        """
        The switches of a process.
        """
        record = MortalRecord(self.directory, "eth0")
        self.kernel.life = record.life = life or Mortal()
        return BorrowedSwitches(self.kernel, "eth0", record)

    def eth0(self, interface: str = "eth0") -> tuple[str | None, ...]:
        return tuple(self.kernel.switch(interface, name) for name in SWITCHES)

    def assertNoRecord(self) -> None:
        self.assertEqual(list(Path(self.directory).iterdir()), [])


class LifeTests(Case):
    """
    From the start to the end.
    """

    def test_setAndPutBack(self) -> None:
        """
        In order, with the other interfaces spared; and back in the reverse.
        """
        before = dict(self.kernel.switches)
        switches = self.borrowed()
        switches.borrow(ETH0)
        self.assertEqual(
            self.kernel.log,
            [
                "set net/ipv6/conf/eth1/accept_ra=2",
                "set net/ipv6/conf/lo/accept_ra=2",
                "set net/ipv6/conf/eth0/accept_ra=2",
                "set net/ipv6/conf/eth0/forwarding=1",
                "set net/ipv6/conf/eth0/proxy_ndp=1",
                "set net/ipv6/conf/lo/accept_ra=1",
                "set net/ipv6/conf/eth1/accept_ra=1",
            ],
        )
        self.kernel.log.clear()
        switches.giveBack()
        switches.giveBack()
        self.assertEqual(
            self.kernel.log,
            [
                "set net/ipv6/conf/eth0/proxy_ndp=0",
                "set net/ipv6/conf/eth0/forwarding=0",
                "set net/ipv6/conf/eth0/accept_ra=1",
            ],
        )
        self.assertEqual(self.kernel.switches, before)
        self.assertNoRecord()

    def test_whatIsThereAlreadyIsNotTouched(self) -> None:
        """
        On a router nothing is to be set, and nothing is put back.
        """
        self.kernel.switches["eth0", "forwarding"] = "1"
        self.kernel.switches["eth0", "proxy_ndp"] = "1"
        switches = self.borrowed()
        switches.borrow(ETH0)
        switches.giveBack()
        self.assertEqual(self.kernel.log, [])
        self.assertNoRecord()

    def test_whatSomebodyElseHasChangedIsLeft(self) -> None:
        """
        At the end it is not what it was set to.
        """
        switches = self.borrowed()
        switches.borrow(ETH0)
        self.kernel.switches["eth0", "accept_ra"] = "0"
        switches.giveBack()
        self.assertEqual(self.eth0(), ("0", "0", "0"))

    def test_aNameWithADot(self) -> None:
        """
        The record of C{eth0.5} is a file of its own.
        """
        for name in SWITCHES:
            self.kernel.switches["eth0.5", name] = self.kernel.switches["eth0", name]
        record = SwitchRecord(self.directory, "eth0.5")
        switches = BorrowedSwitches(self.kernel, "eth0.5", record)
        switches.borrow(7)
        self.assertEqual(self.eth0("eth0.5"), ("2", "1", "1"))
        BorrowedSwitches(self.kernel, "eth0.5", record).restore(7)
        self.assertEqual(self.eth0("eth0.5"), ("1", "0", "0"))
        self.assertNoRecord()


class KilledTests(Case):
    """
    Killed between any two steps.
    """

    def kill(self, step: int, afterwards: bool) -> bool:
        """
        A life that ends at a step.

        @return: whether it was killed at all.
        """
        try:
            switches = self.borrowed(Mortal(step, afterwards))
            switches.borrow(ETH0)
            switches.giveBack()
        except Killed:
            return True
        return False

    def test_theNextStartAndEndPutEverythingBack(self) -> None:
        """
        With C{--ndp kernel}, and without, and by a cleanup: what it was is what it is.
        """
        before = dict(self.kernel.switches)
        for afterwards in (False, True):
            step, killed = 0, True
            while killed:
                step += 1
                killed = self.kill(step, afterwards)
                switches = self.borrowed()
                if step % 2:
                    switches.borrow(ETH0)
                    self.assertEqual(self.eth0(), ("2", "1", "1"), step)
                    self.assertEqual(self.eth0("eth1"), ("1", "0", "0"), step)
                    switches.giveBack()
                else:
                    switches.restore(ETH0)
                self.assertEqual(self.kernel.switches, before, step)
                self.assertNoRecord()
            self.assertGreater(step, 12)

    def test_otherInterfacesAreNeverLeftRaised(self) -> None:
        """
        Also when the interface is another one now: its own switches are new, but not the others'.
        """
        before = dict(self.kernel.switches)
        for step in range(1, 13):
            self.kill(step, True)
            for name in SWITCHES:
                self.kernel.switches["eth0", name] = before["eth0", name]
            switches = self.borrowed()
            switches.borrow(ETH0 + 7)
            self.assertEqual(self.eth0("eth1"), ("1", "0", "0"), step)
            switches.giveBack()
            self.assertEqual(self.kernel.switches, before, step)

    @examples
    @given(
        st.integers(1, 14),
        st.booleans(),
        st.sampled_from(SWITCHES),
        st.sampled_from(("eth0", "eth1")),
        st.sampled_from(("0", "3")),
    )
    def test_whatSomebodyChangedMeanwhileIsLeft(
        self, step: int, afterwards: bool, name: str, interface: str, value: str
    ) -> None:
        """
        It is not what it was set to, so it is somebody's decision.
        """
        self.kernel = MortalKernel()
        before = dict(self.kernel.switches)
        self.kill(step, afterwards)
        self.kernel.switches[interface, name] = value
        self.borrowed().restore(ETH0)
        self.assertEqual(self.kernel.switches, {**before, (interface, name): value})

    def test_aRecordOfNoUseIsRemovedByTheNextStart(self) -> None:
        """
        Of an interface that is no more.
        """
        self.borrowed().borrow(ETH0)
        self.kernel.switches.update({("eth0", name): "1" for name in SWITCHES})
        self.borrowed().restore(ETH0 + 1)
        self.assertEqual(self.eth0(), ("1", "1", "1"))
        self.assertNoRecord()


class RefusedTests(Case):
    """
    The kernel refuses, or the disk is full.
    """

    def test_aRefusalAtAnyStepPutsBackWhatWasDone(self) -> None:
        """
        Nothing is left, on no interface.
        """
        before = dict(self.kernel.switches)
        for step in range(5):
            self.kernel.refusals.extend([*[None] * step, REFUSED])
            self.assertRaises(RoutingError, self.borrowed().borrow, ETH0)
            self.assertEqual(self.kernel.switches, before, step)
            self.assertNoRecord()
            self.kernel.refusals.clear()

    def test_anInterfaceThatGoesMeanwhileIsNoMatter(self) -> None:
        """
        A container ends while the others are spared.
        """
        switches = self.borrowed()
        kernel, setSwitch = self.kernel, self.kernel.setSwitch

        def vanish(sysctl: Sysctl) -> None:
            if sysctl.interface == "eth1":
                for name in SWITCHES:
                    kernel.switches.pop(("eth1", name), None)
                raise RoutingError("No such file or directory")
            setSwitch(sysctl)

        self.patch(kernel, "setSwitch", vanish)
        switches.borrow(ETH0)
        self.assertEqual(self.eth0(), ("2", "1", "1"))
        switches.giveBack()
        self.assertEqual(self.eth0(), ("1", "0", "0"))

    def test_whatCannotBePutBackStaysWrittenDown(self) -> None:
        """
        On another interface, too: the end tries again, and then the next start.
        """
        for step in (5, 6):
            self.kernel = MortalKernel()
            before = dict(self.kernel.switches)
            switches = self.borrowed()
            self.kernel.refusals.extend([*[None] * step, REFUSED])
            switches.borrow(ETH0)
            self.assertNotEqual(self.kernel.switches["lo", "accept_ra"] * 2, "")
            if step == 5:
                switches.giveBack()
            else:
                self.borrowed().restore(ETH0)
            self.assertEqual(self.kernel.switches, before)
            self.assertNoRecord()

    def test_aFullDiskChangesNothing(self) -> None:
        """
        What cannot be written down is not changed; also when only the second writing fails.
        """
        before = dict(self.kernel.switches)
        for good in (0, 1):
            switches = self.borrowed()
            record, left = switches._record, [good]
            write = record.write

            def full(changed: list[Changed], index: int, write=write, left=left) -> None:  # type: ignore[no-untyped-def]
                left[0] -= 1
                if left[0] < 0 and changed:
                    raise FULL
                write(changed, index)

            self.patch(record, "write", full)
            self.assertRaises(StateError, switches.borrow, ETH0)
            self.assertEqual(self.kernel.switches, before)
            self.assertNoRecord()

    def test_oneThatWasRenamedSinceIsPutBack(self) -> None:
        """
        Its switches are under its new name, whether there is another of the old one or not.
        """
        self.borrowed().borrow(ETH0)
        self.kernel.links[:] = [link for link in self.kernel.links if link.index != ETH0]
        self.kernel.links.append(Link("wan", ETH0, ETHERNET, b"\x02\0\0\0\0\x02", True))
        for name in SWITCHES:
            self.kernel.switches["wan", name] = self.kernel.switches["eth0", name]
        self.kernel.links.append(Link("eth0", 9, ETHERNET, b"\x02\0\0\0\0\x09", True))
        self.kernel.switches.update({("eth0", name): "0" for name in SWITCHES})
        switches = self.borrowed()
        switches.borrow(9)
        self.assertEqual(self.eth0("wan"), ("1", "0", "0"))
        switches.giveBack()
        self.assertEqual(self.eth0(), ("0", "0", "0"))
        self.assertNoRecord()


class FollowTests(Case):
    """
    While it runs.
    """

    def test_whatSomebodyChangesIsSetAgainOnce(self) -> None:
        """
        And not in a fight. Nothing is written for that: the disk may be full meanwhile.
        """
        switches = self.borrowed()
        switches.borrow(ETH0)
        files = [path.stat().st_ino for path in Path(self.directory).iterdir()]
        self.kernel.switches["eth0", "proxy_ndp"] = "0"
        self.assertEqual(switches.reread(0.0), (["net/ipv6/conf/eth0/proxy_ndp=1"], []))
        self.assertEqual(self.eth0(), ("2", "1", "1"))
        self.assertEqual([path.stat().st_ino for path in Path(self.directory).iterdir()], files)
        self.kernel.switches["eth0", "proxy_ndp"] = "0"
        self.assertEqual(switches.reread(1.0), ([], ["net/ipv6/conf/eth0/proxy_ndp=1"]))
        self.assertEqual(switches.reread(200.0), ([], []))
        self.assertEqual(self.eth0(), ("2", "1", "0"))
        switches.giveBack()
        self.assertEqual(self.eth0(), ("1", "0", "0"))

    def test_aNewInterfaceIsBorrowedAnew(self) -> None:
        """
        It came with switches of its own.
        """
        switches = self.borrowed()
        switches.borrow(ETH0)
        switches.follow(ETH0)
        switches.follow(None)
        switches.follow(None)
        self.kernel.switches.update({("eth0", name): "0" for name in SWITCHES})
        switches.follow(ETH0 + 1)
        self.assertEqual(self.eth0(), ("0", "1", "1"))
        switches.giveBack()
        self.assertEqual(self.eth0(), ("0", "0", "0"))
        self.assertNoRecord()

    def test_aRefusalIsTriedAgain(self) -> None:
        """
        An interface that came back and could not be set is not taken for one that is.
        """
        switches = self.borrowed()
        switches.borrow(ETH0)
        switches.follow(None)
        self.kernel.switches.update({("eth0", name): "0" for name in SWITCHES})
        self.kernel.refusals.extend([None, None, REFUSED])
        self.assertRaises(RoutingError, switches.follow, ETH0 + 1)
        self.kernel.refusals.clear()
        switches.follow(ETH0 + 1)
        self.assertEqual(self.eth0(), ("0", "1", "1"))

    def test_oneThatIsRenamedIsPutBack(self) -> None:
        """
        Its switches are under its new name; and it is borrowed again when it has its old one.
        """
        switches = self.borrowed()
        switches.borrow(ETH0)
        for old, new in (("eth0", "wan"), ("wan", "eth0")):
            link = self.kernel.link(old)
            assert link is not None
            self.kernel.links.remove(link)
            self.kernel.links.append(Link(new, ETH0, ETHERNET, link.linkLayerAddress, True))
            for name in SWITCHES:
                self.kernel.switches[new, name] = self.kernel.switches.pop((old, name))
            switches.follow(ETH0 if new == "eth0" else None)
            expected = ("2", "1", "1") if new == "eth0" else ("1", "0", "0")
            self.assertEqual(self.eth0(new), expected)
        switches.giveBack()
        self.assertEqual(self.eth0(), ("1", "0", "0"))
        self.assertNoRecord()
