"""
The nf_tables table that keeps the kernel from answering the echo requests that we answer, or that
nobody is to answer. As nft(8) would show it, for C{--echo protocol}::

    table ip6 prefix64-eth0 {
        flags owner
        set others { type ipv6_addr; flags interval; elements = { ... } }
        chain prerouting {
            type filter hook prerouting priority -450; policy accept;
            iifname "eth0" ip6 daddr 2001:db8::/64 ip6 nexthdr 58 @nh,320,8 128
                ip6 daddr != @others counter drop
        }
    }

The packet socket sees a frame before netfilter does. Priority -450 is before conntrack puts
fragments together (-400); the next header compared is the one of the fixed header, so echo behind a
fragment or any extension header stays with the kernel. With the owner flag (Linux 5.12) the table
ends with the netlink socket that made it, even after SIGKILL: a crash cannot leave the prefix mute.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from zope.interface import Interface, implementer

from prefix64.addressing import Prefix, mergedRanges
from prefix64.errors import GuardError, PrivilegeError
from prefix64.icmpv6.packets import ECHO_REQUEST, ICMPV6
from prefix64.kernel import nftables as nft
from prefix64.privileges import CAP_NET_ADMIN, hasCapability
from prefix64.routing.entries import GUARD_CHAIN, GUARD_PRIORITY, GUARD_SET, GuardKind

_NEXT_HEADER_OFFSET, _DESTINATION_OFFSET, _ICMPV6_OFFSET = 6, 24, 40
_ELEMENTS_PER_MESSAGE = 500
_MISSING = (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.ENOENT, errno.EAFNOSUPPORT)


class IGuard(Interface):
    """
    Keeps echo requests from the kernel.
    """

    def rehearse(interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See whether L{install} with the same would succeed. Nothing is changed.

        @raise GuardError: nf_tables is not there, or would refuse.
        """

    def install(interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        Begin.

        @param interface: the name of the interface that the requests come in on.
        @param prefixes: the served prefixes.
        @param others: what inside them is not to be dropped.
        @raise GuardError: nf_tables is not there, or refuses.
        """

    def update(others: Iterable[Prefix]) -> None:
        """
        Replace what is not to be dropped, at once.

        @raise GuardError: nf_tables refuses.
        """

    def serve(prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        Replace the served prefixes, and what inside them is not to be dropped, at once: there is
        no moment at which the kernel answers what it is kept from.

        @raise GuardError: nf_tables refuses; then everything is as it was.
        """

    def close() -> None:
        """
        End. May be called twice.
        """


@implementer(IGuard)
class Guard:
    """
    The table, for as long as its netlink socket is open.
    """

    def __init__(self, kind: GuardKind) -> None:
        self._kind = kind
        self._socket: nft.NftablesSocket | None = None
        self._table = b""
        self._interface = ""

    def rehearse(
        self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]
    ) -> None:
        """
        See L{IGuard.rehearse}.
        """
        self._make(interface, prefixes, others, commit=False)
        self.close()

    def install(self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.install}.
        """
        self._make(interface, prefixes, others, commit=True)

    def _make(
        self,
        interface: str,
        prefixes: Iterable[Prefix],
        others: Iterable[Prefix],
        commit: bool,
    ) -> None:
        """
        Make the table, or see whether it could be made.
        """
        self._interface = interface
        self._table = nft.attribute(1, nft.text(f"prefix64-{interface}"))
        flags = nft.CREATE | nft.EXCLUSIVE
        try:
            self._socket = nft.NftablesSocket()
            self._socket.transact(
                [
                    (nft.NEW_TABLE, flags, self._table + nft.number(2, nft.TABLE_OWNER)),
                    (nft.NEW_SET, nft.CREATE, self._table + _setDefinition()),
                    *self._elements(others),
                    (nft.NEW_CHAIN, nft.CREATE, self._table + _chainDefinition()),
                    *map(self._rule, prefixes),
                ],
                commit,
            )
        except OSError as error:
            self.close()
            raise self._refused(error, interface) from None

    def update(self, others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.update}.
        """
        self._change(self._replaced(others))

    def serve(self, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.serve}.
        """
        every = (nft.DELETE_RULES, 0, self._table + nft.attribute(2, nft.text(GUARD_CHAIN)))
        self._change([*self._replaced(others), every, *map(self._rule, prefixes)])

    def _replaced(self, others: Iterable[Prefix]) -> list[nft.Message]:
        """
        The messages that put other ranges into the set.
        """
        flush = (nft.DELETE_ELEMENTS, 0, self._table + nft.attribute(2, nft.text(GUARD_SET)))
        return [flush, *self._elements(others)]

    def _change(self, messages: list[nft.Message]) -> None:
        """
        Change the table, if there is one.

        @raise GuardError: nf_tables refuses.
        """
        if self._socket is None:
            return
        try:
            self._socket.transact(messages)
        except OSError as error:
            raise GuardError(f"nf_tables: {os.strerror(error.errno or 0)}") from None

    def close(self) -> None:
        """
        See L{IGuard.close}. The kernel removes the table with the socket.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _refused(self, error: OSError, interface: str) -> Exception:
        """
        The error of a table that could not be made.
        """
        if error.errno in (errno.EPERM, errno.EACCES):
            if hasCapability(CAP_NET_ADMIN):
                return GuardError(
                    f"the nf_tables table ip6 prefix64-{interface} belongs to another process: "
                    "stop that first"
                )
            return PrivilegeError("nf_tables needs CAP_NET_ADMIN: run it as root (sudo)")
        if error.errno == errno.EEXIST:
            return GuardError(
                f"there is an nf_tables table ip6 prefix64-{interface} already: "
                f"nft delete table ip6 prefix64-{interface} removes it"
            )
        if error.errno in _MISSING:
            return GuardError("this kernel has no nf_tables with owned tables (Linux 5.12)")
        return GuardError(f"nf_tables: {os.strerror(error.errno or 0)}")

    def _elements(self, others: Iterable[Prefix]) -> list[nft.Message]:
        """
        The messages that put ranges into the set: for each its first address, and the first behind
        it with the flag that ends an interval.
        """
        keys = [
            nft.nested(1, nft.nested(1, nft.attribute(1, key.to_bytes(16, "big"))), *flags)
            for first, behind in mergedRanges(others)
            for key, flags in ((first, ()), (behind, (nft.number(3, nft.INTERVAL_END),)))
        ]
        chunks = (
            keys[i : i + _ELEMENTS_PER_MESSAGE] for i in range(0, len(keys), _ELEMENTS_PER_MESSAGE)
        )
        head = self._table + nft.attribute(2, nft.text(GUARD_SET)) + nft.number(4, 1)
        return [(nft.NEW_ELEMENTS, nft.CREATE, head + nft.nested(3, *chunk)) for chunk in chunks]

    def _rule(self, prefix: Prefix) -> nft.Message:
        """
        The message that adds the rule of one prefix.
        """
        mask = ((1 << prefix.length) - 1) << (128 - prefix.length)
        inside = (
            nft.payload(nft.NETWORK_HEADER, _DESTINATION_OFFSET, 16)
            + nft.masked(mask.to_bytes(16, "big"))
            + nft.equals(prefix.network.to_bytes(16, "big"))
        )
        notOthers = nft.payload(nft.NETWORK_HEADER, _DESTINATION_OFFSET, 16) + nft.notInSet(
            GUARD_SET
        )
        expressions = (
            nft.meta(nft.META_IIFNAME)
            + nft.equals(self._interface.encode().ljust(16, b"\0"))
            + inside
            + self._isEchoRequest()
            + notOthers
            + nft.expression("counter", nft.attribute(1, bytes(8)), nft.attribute(2, bytes(8)))
            + nft.expression(
                "immediate", nft.number(1, 0), nft.nested(2, nft.nested(2, nft.number(1, 0)))
            )
        )
        body = self._table + nft.attribute(2, nft.text(GUARD_CHAIN)) + nft.nested(4, expressions)
        return nft.NEW_RULE, nft.CREATE | nft.APPEND, body

    def _isEchoRequest(self) -> bytes:
        """
        The expressions that find an echo request: right behind the fixed header for those that the
        protocol answers; behind any headers, in a first fragment too, to drop all.
        """
        if self._kind is GuardKind.PROTOCOL:
            found = nft.payload(nft.NETWORK_HEADER, _NEXT_HEADER_OFFSET, 1) + nft.equals(
                bytes((ICMPV6,))
            )
            return (
                found
                + nft.payload(nft.NETWORK_HEADER, _ICMPV6_OFFSET, 1)
                + nft.equals(bytes((ECHO_REQUEST,)))
            )
        found = nft.meta(nft.META_L4PROTO) + nft.equals(bytes((ICMPV6,)))
        return found + nft.payload(nft.TRANSPORT_HEADER, 0, 1) + nft.equals(bytes((ECHO_REQUEST,)))


def _setDefinition() -> bytes:
    """
    The set of address ranges, behind the table's name.
    """
    return b"".join(
        (
            nft.attribute(2, nft.text(GUARD_SET)),
            nft.number(3, nft.SET_INTERVAL),
            nft.number(4, nft.TYPE_IPV6_ADDRESS),
            nft.number(5, 16),
            nft.number(10, 1),
        )
    )


def _chainDefinition() -> bytes:
    """
    The chain at prerouting, behind the table's name; what is not dropped is accepted.
    """
    return b"".join(
        (
            nft.attribute(3, nft.text(GUARD_CHAIN)),
            nft.nested(4, nft.number(1, 0), nft.number(2, GUARD_PRIORITY)),
            nft.number(5, 1),
            nft.attribute(7, nft.text("filter")),
        )
    )
