"""The proxy to an API server: the kubeconfig's, else the environment's, by the rules that kubectl has.

NO_PROXY follows golang.org/x/net/http/httpproxy.
"""

import ipaddress
import os
from urllib.parse import urlsplit

SOCKS = ("socks5", "socks5h")
"""Both let the proxy look names up, as Go's net/http does for kubectl."""


def proxy_of(configured: str, scheme: str, host: str, port: int) -> str:
    """Return the URL of the proxy, "" for none. Raises ValueError for a kind that is not supported."""
    proxy = configured or _from_environment(scheme, host, port)
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and urlsplit(proxy).scheme not in ("http", "https", *SOCKS):
        known = f"http, https, {' and '.join(SOCKS)} are supported"
        raise ValueError(f"its proxy is of kind {urlsplit(proxy).scheme}; {known}")
    return proxy


def _from_environment(scheme: str, host: str, port: int) -> str:
    if _is_local(host) or _in_no_proxy(host, port):
        return ""
    name = f"{scheme}_proxy"
    return os.environ.get(name.upper()) or os.environ.get(name, "")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _in_no_proxy(host: str, port: int) -> bool:
    patterns = os.environ.get("NO_PROXY") or os.environ.get("no_proxy", "")
    return any(_matches(item.strip().lower(), host, port) for item in patterns.split(",") if item.strip())


def _matches(pattern: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY fits: *, an address, a network, or a domain and all below it; maybe
    with a port.
    """
    if pattern == "*":
        return True
    address = _address(host)
    if address and "/" in pattern:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    name, colon, number = pattern.rpartition(":")
    if colon and number.isdigit() and not _address(pattern):
        if int(number) != port:
            return False
        pattern = name.strip("[]")
    if pattern.startswith("."):
        return host.endswith(pattern)
    return host == pattern.removeprefix("*.") or host.endswith(f".{pattern.removeprefix('*.')}")
