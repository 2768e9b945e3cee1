"""Where a person's URL may lead: no trick that reaches into the server's own network."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.alerts.address_guard import (
    AddressGuard,
    AllowedHost,
    is_public,
    may_be_listed,
    read_allowed_host,
    resolve_host,
    unwrap,
)
from backend_client.errors import Invalid, Refused

PRIVATE = """0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.1.2.3 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1
    198.18.0.1     198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::2 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:a00:1::1
    2002:a9fe:a9fe:: 2001:0:7f00:1:: 2001:db8::1 2001:10::1 2001:20::1 3fff::1 fc00::1 fd00:ec2::254 fe80::1
    fec0::1 ff02::1 100::1 5f00::1 4000::1 2620:0:ccc::5efe:7f00:1 2620:0:ccc::200:5efe:a00:1
    64:ff9b::c0a8:1 2002:c0a8:101::1""".split()
PUBLIC = """1.1.1.1 8.8.8.8 93.184.215.14 192.1.1.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1
    2606:4700:4700::1111 2a00:1450:4001:81b::200e ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1""".split()


def guard(*listed, **names):
    """Return a guard whose names are these; it notes what is asked."""
    asked = []

    async def resolve(host, port):
        asked.append(host)
        found = names.get(host.replace(".", "_"), [])
        if callable(found):
            found = found()
        if not found:
            raise socket.gaierror
        return found

    made = AddressGuard(listed, resolve)
    made.asked = asked
    return made


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is(address):
    assert is_public(address)


def test_no_address_is_none():
    assert [is_public(text) for text in ("", "localhost", "fe80::1%eth0", "8.8.8.8%eth0", "1.2.3")] == [
        False
    ] * 5


@given(st.ip_addresses(v=4))
def test_wrapping_changes_nothing(address):
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address(prefix + (number << shift))
        for prefix, shift in ((0xFFFF << 32, 0), (0xFFFF << 48, 0), (0x64FF9B << 96, 0), (0x2002 << 112, 80))
    ]
    for one in wrapped:
        assert unwrap(one) == address, one
        assert is_public(str(one)) == is_public(str(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private(address):
    if is_public(str(address)):
        bare = unwrap(address)
        assert bare.is_global
        wrong = (bare.is_private, bare.is_loopback, bare.is_link_local, bare.is_multicast, bare.is_reserved)
        assert not any(wrong)


@pytest.mark.parametrize(
    "host",
    "0 127.1 2130706433 0x7f000001 0177.0.0.1 \uff11\uff12\uff17.0.0.1 127\u30020\u30020\u30021"
    " 127.0.0.1. localhost LOCALHOST. [::1]"
    " [::ffff:127.0.0.1] 0x7f.1 017700000001".split(),
)
async def test_spellings_of_this_machine(host):
    """By the real resolver: whatever it makes of them, nothing but a refusal comes of it."""
    made = AddressGuard()
    with pytest.raises((Invalid, Refused)) as caught:
        await made.addresses(made.read(f"https://{host}/x"))
    assert "address" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.org",
            "//example.org/",
            "http://example.org/",
            "ftp://example.org/",
            "file:///etc/passwd",
        ),
        *(
            "https://",
            "https:///x",
            "https://example.org:8443/",
            "https://example.org:80/",
            "https://example.org:x/",
        ),
        *("https://user@example.org/", "https://user:pw@example.org/", "https://example.org@127.0.0.1/"),
        *("https://example.org/#x", "https://example.org\\@127.0.0.1/", "https://exa mple.org/"),
        *("https://example.org/\r\nHost: x", "https://example.org/\0", "https://example.org/\t"),
        *("https://[fe80::1%25eth0]/", "https://[::1/", "https://example.org%00.evil.org/", "https://a..b/"),
        *("https://kubernetes/", "https://kubernetes.default.svc/", "https://x.y.svc.cluster.local/"),
        *(
            "https://printer.local/",
            "https://db.internal/",
            "https://x.localhost/",
            "https://web.ns.svc.lab/",
        ),
        f"https://example.org/{'x' * 2000}",
    ],
)
def test_urls_that_are_none(url):
    with pytest.raises(Invalid) as caught:
        AddressGuard().read(url)
    assert set(caught.value.fields) == {"address"}


def test_what_a_url_is_read_as():
    target = AddressGuard().read("https://Hooks.Example.ORG./services/T0/x%2F?y=1&z")
    assert (target.host, target.port, target.path) == ("hooks.example.org", 443, "/services/T0/x%2F?y=1&z")
    assert (target.authority, target.tls, target.listed) == ("hooks.example.org", True, False)
    assert AddressGuard().read("https://bücher.example/").host == "xn--bcher-kva.example"
    assert AddressGuard().read("https://[2606:4700::1]/").authority == "[2606:4700::1]"


async def test_every_address_must_be_allowed():
    made = guard(mixed_org=["8.8.8.8", "10.0.0.1"], good_org=["8.8.8.8", "2606:4700::1", "8.8.8.8"])
    assert await made.addresses(made.read("https://good.org/")) == ["8.8.8.8", "2606:4700::1"]
    for name in ("mixed.org", "nowhere.org"):
        with pytest.raises(Refused) as caught:
            await made.addresses(made.read(f"https://{name}/secret-path"))
        assert "secret" not in str(caught.value)
        assert "10.0.0.1" not in str(caught.value)
    words = []
    for name in ("mixed.org", "nowhere.org"):
        with pytest.raises(Refused) as caught:
            await made.addresses(made.read(f"https://{name}/"))
        words.append(caught.value.title.replace(name, ""))
    assert words[0] == words[1], "whether a name of the inner network exists is not told"


async def test_a_name_that_changes_its_mind_is_asked_anew():
    answers = iter((["8.8.8.8"], ["127.0.0.1"]))
    made = guard(rebind_org=lambda: next(answers))
    target = made.read("https://rebind.org/")
    assert await made.addresses(target) == ["8.8.8.8"]
    with pytest.raises(Refused):
        await made.addresses(target)
    assert made.asked == ["rebind.org"] * 2


async def test_an_admins_list_is_exact():
    made = guard(
        "chat.lab",
        "http://old.lab:8065",
        "hooks.lab:8443",
        chat_lab=["10.0.0.5"],
        old_lab=["127.0.0.1"],
        hooks_lab=["169.254.169.254"],
    )
    assert await made.addresses(made.read("https://CHAT.lab./x")) == ["10.0.0.5"]
    assert await made.addresses(made.read("http://old.lab:8065/x")) == ["127.0.0.1"]
    with pytest.raises(Refused):  # a link's own address is nobody's chat
        await made.addresses(made.read("https://hooks.lab:8443/"))
    for url in (
        "https://sub.chat.lab/",
        "https://chat.lab:8443/",
        "http://chat.lab/",
        "https://old.lab:8065/",
        "http://old.lab/",
        "https://evilchat.lab:8443/",
    ):
        try:
            target = made.read(url)
        except Invalid:
            continue
        assert not target.listed, url
        with pytest.raises(Refused):
            await made.addresses(target)


def test_entries_of_the_list():
    assert read_allowed_host("Chat.Lab") == AllowedHost("chat.lab", 443)
    assert read_allowed_host("chat.lab:8443") == AllowedHost("chat.lab", 8443)
    assert read_allowed_host("http://chat.lab:8065/") == AllowedHost("chat.lab", 8065, tls=False)
    for wrong in ("", "https://", "*.lab/x", "chat.lab/hook", "ftp://chat.lab", "a b", "me@chat.lab"):
        with pytest.raises(Refused):
            read_allowed_host(wrong)


def test_addresses_that_even_a_listed_host_may_not_have():
    assert [may_be_listed(text) for text in ("127.0.0.1", "10.1.1.1", "fd00::1", "8.8.8.8")] == [True] * 4
    bad = (
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
    )
    assert [may_be_listed(text) for text in bad] == [False] * len(bad)


async def test_the_systems_resolver_is_asked():
    assert await resolve_host("127.1", 443) == ["127.0.0.1"]
