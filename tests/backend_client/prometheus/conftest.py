"""A real Prometheus over exporters that a test writes."""

import contextlib

import pytest

from backend_client.prometheus.by_url import UrlAsk
from backend_client.prometheus.client import PrometheusClient
from backend_client.prometheus.usage_source import PrometheusUsage
from tests.support import prometheus


class Lab:
    """Starts Prometheus over texts of exporters, and asks it."""

    def __init__(self, folder, stack):
        self._folder = folder
        self._stack = stack

    def start(self, *scrapes):
        """Each scrape: (name, text, the other arguments of `prometheus.scrape`)."""
        targets, self.exporters = [], {}
        for name, text, config in scrapes:
            exporter = prometheus.Exporter()
            exporter.text = text
            self._stack.callback(exporter.close)
            self.exporters[name] = exporter
            targets.append(prometheus.scrape(name, exporter.port, **config))
        self.prometheus = self._stack.enter_context(prometheus.running(self._folder, targets))
        for name, _, _ in scrapes:
            self.prometheus.until(f'count_over_time(up{{job="{name}"}}[1m]) >= 2')
        return self.prometheus

    def ask(self):
        self._ask = UrlAsk(self.prometheus.url)
        return PrometheusUsage(PrometheusClient(self._ask, "Prometheus of the test"))

    async def aclose(self):
        if hasattr(self, "_ask"):
            await self._ask.aclose()


@pytest.fixture
async def lab(tmp_path):
    if prometheus.binary() is None:
        pytest.skip(f"needs {prometheus.HOW}")
    with contextlib.ExitStack() as stack:
        made = Lab(tmp_path, stack)
        yield made
        await made.aclose()
