"""
What all memberships of groups do, fake or real.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from prefix64.addressing import parseAddress, solicitedNodeGroup
from prefix64.errors import InterfaceError
from prefix64.link.groups import IGroupMembership

ONE, TWO, THREE = (solicitedNodeGroup(0x646400 + number) for number in (1, 2, 3))


class GroupMembershipTestsMixin:
    """
    Tests of an L{IGroupMembership}, to be mixed into a C{SynchronousTestCase}.
    """

    def makeGroups(self) -> IGroupMembership:
        """
        Make one, of an interface that is a member of none of the groups here; C{addCleanup}
        whatever has to be undone.
        """
        raise NotImplementedError

    def joined(self) -> set[int]:
        """
        The solicited-node groups C{ff02::1:ff64:64..} that the interface is a member of.
        """
        raise NotImplementedError

    def test_providesTheInterface(self) -> None:
        """
        It has all that L{IGroupMembership} names.
        """
        self.assertTrue(verifyObject(IGroupMembership, self.makeGroups()))

    def test_exactlyTheseGroups(self) -> None:
        """
        What is new is joined, what is no longer wanted is left, and the rest stays.
        """
        groups = self.makeGroups()
        self.assertEqual(self.joined(), set())
        for wanted in ((ONE, TWO), (TWO, THREE), (THREE,), (ONE, TWO, THREE), ()):
            groups.update(wanted)
            self.assertEqual(self.joined(), set(wanted))

    def test_againAndTwice(self) -> None:
        """
        A group that is named twice is one, and the same once more is no change.
        """
        groups = self.makeGroups()
        for _ in range(2):
            groups.update(iter([ONE, TWO, ONE]))
            self.assertEqual(self.joined(), {ONE, TWO})

    def test_whatIsNoGroupIsRefused(self) -> None:
        """
        The error names it, and says why in one line; those before it are joined, and may be left.
        """
        groups = self.makeGroups()
        unicast = parseAddress("2001:db8::5")
        error = str(self.assertRaises(InterfaceError, groups.update, [ONE, unicast, TWO]))
        self.assertEqual(error, "2001:db8::5: Invalid argument")
        self.assertEqual(self.joined(), {ONE})
        groups.update([TWO])
        self.assertEqual(self.joined(), {TWO})

    def test_closingLeavesAll(self) -> None:
        """
        May be done twice; nothing can be joined then.
        """
        groups = self.makeGroups()
        groups.update([ONE, TWO])
        groups.close()
        groups.close()
        self.assertEqual(self.joined(), set())
        self.assertRaises(InterfaceError, groups.update, [ONE])
        self.assertEqual(self.joined(), set())

    def test_closingWhatJoinedNothing(self) -> None:
        """
        Nothing happens.
        """
        self.makeGroups().close()
        self.assertEqual(self.joined(), set())
