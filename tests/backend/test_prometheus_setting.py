"""The setting `prometheus`: what it takes, what it refuses in which words, what a backend gets of it."""

import json

import pytest

from backend.clusters.prometheus import prometheus_of, unknown_names
from backend.settings import server_settings
from backend_client.errors import Invalid
from backend_client.kubernetes.settings import KubernetesSettings, PrometheusSettings

SITE = KubernetesSettings(gpu_resource="amd.com/gpu", prometheus=PrometheusSettings(service="ns/own:9090"))


def set_to(monkeypatch, value):
    monkeypatch.setenv("TRAINDECK_SERVER_PROMETHEUS", json.dumps(value))
    return server_settings({}).prometheus


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({}, "name its url, or its service"),
        ({"url": "https://p", "service": "a/b:1"}, "name its url, or its service"),
        ({"url": "prometheus:9090"}, "write https://HOST:PORT"),
        ({"url": "ftp://prometheus"}, "write https://HOST:PORT"),
        ({"url": "https://p:0"}, "write https://HOST:PORT"),
        ({"url": "https://p:99999"}, "write https://HOST:PORT"),
        ({"url": "https://p/?query=up"}, "write https://HOST:PORT"),
        ({"url": "https://ann:geheim@p"}, "write no password into the address"),
        ({"url": "http://p.example.org", "token": "geheim"}, "its token goes over https alone"),
        ({"url": "http://p.example.org", "token_file": "/x"}, "its token goes over https alone"),
        ({"url": "https://p", "token": "geheim", "token_file": "/x"}, "and not both"),
        ({"url": "https://p", "token": "ge heim"}, "has characters that no token has"),
        ({"url": "https://p", "token": "geheim\n"}, "has characters that no token has"),
        ({"service": "a/b:1", "token": "geheim"}, "a token or a CA is for a url"),
        ({"service": "a/b:1", "ca_file": "/x"}, "a token or a CA is for a url"),
        ({"url": "https://p", "tokens": "geheim"}, "there is no such word; there are url, service, token"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words_and_no_secret_is_quoted(target, words, monkeypatch):
    with pytest.raises(Invalid) as error:
        set_to(monkeypatch, {"lab": target})
    ((field, why),) = error.value.fields.items()
    assert field.startswith("prometheus.lab")
    assert words in why
    assert "geheim" not in f"{error.value} {error.value.fields}"


def test_a_token_is_never_printed(monkeypatch):
    found = set_to(monkeypatch, {"": {"url": "https://p", "token": "geheim"}})
    assert "geheim" not in f"{found} {found!r} {server_settings({})!r}"


def test_each_cluster_gets_its_own_and_the_others_what_is_for_all(monkeypatch):
    targets = set_to(
        monkeypatch,
        {
            "": {"url": "https://all.example.org/prometheus/", "token": "geheim", "ca_file": "/ca"},
            "lab": {"service": "monitoring/prometheus-operated:web"},
            "here": {"url": "http://127.0.0.1:9090", "token_file": "/token"},
        },
    )
    lab, token = prometheus_of(targets, "lab", SITE)
    assert lab.prometheus == PrometheusSettings(service="monitoring/prometheus-operated:web")
    assert (lab.gpu_resource, token) == ("amd.com/gpu", None)
    other, token = prometheus_of(targets, "other", SITE)
    assert other.prometheus == PrometheusSettings(url="https://all.example.org/prometheus", ca_file="/ca")
    assert token.reveal() == "geheim"
    here, token = prometheus_of(targets, "here", SITE)
    assert (here.prometheus.token_file, token) == ("/token", None)


def test_without_the_setting_that_of_kubernetes_stays():
    assert prometheus_of({}, "lab", SITE) == (SITE, None)


def test_a_name_that_is_of_no_cluster_is_found(monkeypatch):
    targets = set_to(monkeypatch, {name: {"url": "https://p"} for name in ("", "lab", "lba")})
    assert unknown_names(targets, ["lab", "more"]) == ["lba"]
