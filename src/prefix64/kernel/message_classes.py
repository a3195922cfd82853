"""
What pyroute2's classes of rtnetlink messages lack: what an interface is configured to do, and the
mask that a rule's port has since Linux 6.15.
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl import (
    RTM_DELNETCONF,
    RTM_DELRULE,
    RTM_GETNETCONF,
    RTM_GETRULE,
    RTM_NEWNETCONF,
    RTM_NEWRULE,
)
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

EVERY_INTERFACE = -1
"""What stands for all interfaces together (NETCONFA_IFINDEX_ALL)."""


class netconfmsg(nlmsg):
    """
    C{struct netconfmsg} of linux/netconf.h: a byte with the family, filled up to four, and
    attributes.
    """

    prefix = "NETCONFA_"
    fields = (("family", "B"), ("__pad", "3x"))
    nla_map = (
        ("NETCONFA_UNSPEC", "none"),
        ("NETCONFA_IFINDEX", "int32"),
        ("NETCONFA_FORWARDING", "int32"),
    )


class rulemsg(nlmsg):
    """
    A rule, with all of its attributes that ours have. It inherits from no message class that has
    attributes: pyroute2 would take it for one whose attributes are known already.
    """

    prefix = fibmsg.prefix
    fields = fibmsg.fields
    nla_map = (*fibmsg.nla_map, (29, "FRA_DPORT_MASK", "uint16"))
    uid_range = fibmsg.uid_range
    port_range = fibmsg.port_range


class Marshal(MarshalRtnl):
    """
    Reads every rtnetlink message, these too.
    """

    msg_map = {
        **MarshalRtnl.msg_map,
        RTM_NEWNETCONF: netconfmsg,
        RTM_DELNETCONF: netconfmsg,
        RTM_GETNETCONF: netconfmsg,
        RTM_NEWRULE: rulemsg,
        RTM_DELRULE: rulemsg,
        RTM_GETRULE: rulemsg,
    }


def readForwarding(message: Any) -> tuple[int, bool] | None:
    """
    Read whether an interface forwards, from an RTM_NEWNETCONF message.

    @return: the interface's index (negative: all, or those to come), and whether it does; L{None}
        for a message that says nothing of it.
    """
    index = message.get_attr("NETCONFA_IFINDEX")
    forwarding = message.get_attr("NETCONFA_FORWARDING")
    if index is None or forwarding is None:
        return None
    return index, forwarding != 0
