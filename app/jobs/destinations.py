"""Where webhooks may go: public addresses by https, and what the operator allows by name.

A URL is judged twice: by its form when it is registered and before each attempt, and by the addresses that its
host has at the moment of connecting (`app.jobs.posting`), since a name may lead elsewhere by then. Only one
spelling of an address is taken: what other programs would read as an address too (decimal, octal, hexadecimal,
short) is refused instead of being read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

import idna

from app.store.webhooks import InvalidWebhook

PORTS = frozenset({443, 8443})
_USUAL_PORTS = {"https": 443, "http": 80}
LONGEST_URL = 2_000
# Blanks and controls, which some readers skip, and the slash of another system.
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")
# A last label that makes a name an address, by the URL standard (WHATWG).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IPV6 = re.compile(r"[0-9a-f:.]+", re.ASCII)
# Names that are nobody's in the public DNS (RFC 6761, 6762, 8375, 9476, ICANN's .internal).
_SPECIAL = ("localhost", "local", "internal", "home.arpa", "onion", "invalid", "alt")

# IANA's special-purpose registries, what is multicast or reserved, and one address of a cloud's own.
_NOT_PUBLIC_4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's agent
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
_GLOBAL_6 = ip_network("2000::/3")
# Teredo and 6to4 among them, which carry an address of IPv4 anywhere.
_NOT_PUBLIC_6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")))
# Behind it a network that has only IPv6 reaches IPv4 (RFC 6052).
_NAT64 = ip_network("64:ff9b::/96")


class Destination(NamedTuple):
    """A webhook's URL in its parts; `host` as DNS has it, or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port, as in the URL and in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _USUAL_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one form."""
        return f"{self.scheme}://{self.authority}{self.target}"


def is_public(address: str) -> bool:
    """Whether an address, as a resolver writes it, may be connected to from a server that others command."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC_4)
    if found.scope_id is not None:
        return False
    if found in _NAT64:
        return is_public(str(IPv4Address(int(found) & 0xFFFF_FFFF)))
    return found in _GLOBAL_6 and not any(found in network for network in _NOT_PUBLIC_6)


class Destinations:
    """What one server sends to."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed` are `host:port` that may be private, of any port, and spoken to by plain http."""
        self._allowed = frozenset(each.lower() for each in allowed)

    def allows(self, host: str, port: int) -> bool:
        """Whether the operator has named it."""
        return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") in self._allowed

    def of(self, url: str) -> Destination:
        """A URL in its parts. Raises `InvalidWebhook`; the message does not repeat it."""
        if len(url) > LONGEST_URL or _NEVER.search(url) or "#" in url:
            raise InvalidWebhook(f"send a URL of at most {LONGEST_URL} characters, without blanks, backslashes or `#`")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidWebhook("the URL cannot be read; send one as https://HOST/PATH") from None
        if parts.scheme not in _USUAL_PORTS or not parts.hostname:
            raise InvalidWebhook("send a URL as https://HOST/PATH")
        if "@" in parts.netloc:
            raise InvalidWebhook("leave the user and the password out of the URL; messages are signed instead")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not target.isascii():
            raise InvalidWebhook("percent-encode the path and the query of the URL")
        host = _host(parts.hostname)
        found = Destination(parts.scheme, host, port if port is not None else _USUAL_PORTS[parts.scheme], target)
        if not self.allows(host, found.port):
            _check(found)
        return found


def _host(given: str) -> str:
    """The host in the form that DNS has, or the address. Raises `InvalidWebhook`."""
    if ":" in given:
        # An address with a zone belongs to one machine.
        address = _IPV6.fullmatch(given)
        try:
            return str(IPv6Address(given if address else ""))
        except ValueError:
            raise InvalidWebhook("the address in the URL is none; send a host's name") from None
    try:
        # Maps full-width digits and other dots as a browser does, before anything is compared.
        host = idna.encode(given, uts46=True, std3_rules=True).decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        host = ""
    if not host or host.endswith("."):
        raise InvalidWebhook("the host in the URL is no name of DNS; send one, in Unicode or in Punycode")
    return host


def _check(found: Destination) -> None:
    """Raise `InvalidWebhook` unless it may be public, as far as its form tells."""
    allow = "or let the operator name it in SOFTSELL_ALLOWED_WEBHOOK_HOSTS"
    if found.scheme != "https":
        raise InvalidWebhook(f"only https is taken; send an https URL, {allow}")
    if found.port not in PORTS:
        raise InvalidWebhook(f"only the ports {', '.join(map(str, sorted(PORTS)))} are taken; use one, {allow}")
    labels = found.host.split(".")
    is_address = ":" in found.host or _NUMBER.fullmatch(labels[-1]) is not None
    special = any(found.host == name or found.host.endswith(f".{name}") for name in _SPECIAL)
    if special or (is_address and not is_public(found.host)) or (not is_address and len(labels) < 2):
        raise InvalidWebhook(f"the host in the URL is not a public one; send one that is, {allow}")
