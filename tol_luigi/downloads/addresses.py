"""Check of the addresses that URLs lead to: a listing must not make a build send requests within its own network."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from aiohttp.resolver import ThreadedResolver
from yarl import URL

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from aiohttp.abc import ResolveResult

__all__ = ["BadUrlError", "CheckedResolver", "Network", "PrivateAddressError", "is_allowed", "server_url"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PrivateAddressError(OSError):
    """A name has no public address."""


class BadUrlError(ValueError):
    """A URL is not one of http or https."""


def is_allowed(address: str, networks: Iterable[Network]) -> bool:
    """Return whether requests may be sent to an address.

    Args:
        address: The address as text.
        networks: Networks that are allowed although they are not public.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if any(found in network for network in networks):
        return True
    return found.is_global and not found.is_multicast


def server_url(text: str, networks: Iterable[Network]) -> URL:
    """Return a URL that a request may be sent to, as far as is known before its name is resolved.

    Raises:
        BadUrlError: It is not a URL of http or https.
        PrivateAddressError: It contains an address that is not public.
    """
    try:
        url = URL(text)
        host = url.host
    except ValueError as error:
        raise BadUrlError(f"not a URL ({error})") from error
    if url.scheme not in {"http", "https"} or not host:
        raise BadUrlError("not a URL of http or https")
    try:
        is_fine = is_allowed(host, networks)
    except ValueError:
        return url  # a name
    if not is_fine:
        raise PrivateAddressError(f"{host} is not a public address")
    return url


class CheckedResolver(ThreadedResolver):
    """Resolves names to their public addresses, just before the connection is made to one of them.

    Args:
        networks: Networks that are allowed although they are not public.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        super().__init__()
        self._networks = tuple(networks)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = 0,  # type: ignore[assignment]  # any
    ) -> list[ResolveResult]:
        """Return the public addresses of a name.

        Raises:
            PrivateAddressError: It has addresses, but none of them is public.
            OSError: It has none.
        """
        found = await super().resolve(host, port, family)
        allowed = [each for each in found if is_allowed(each["host"], self._networks)]
        if not allowed:
            raise PrivateAddressError(f"{host} has no public address")
        return allowed
