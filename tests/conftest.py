"""What a test needs that this machine may lack: said by its marker, and at the end of the run in one line."""

import gc
import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from tests.backend_client.kubernetes.support.controlplane import GIVEN

_LACKING = "Skipped: needs "

# A busy machine makes no test fail: neither a slow example nor a slow search for one is a fault. Loaded while
# this file is imported, as a test's own @settings take the rest from it; --hypothesis-profile still wins.
settings.register_profile(
    "traindeck", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("traindeck")


def pytest_configure() -> None:
    """Give tests nobody's own clusters, no keyring but the one that they set, and a ctrl+c that works."""
    os.environ["KUBECONFIG"] = os.devnull
    os.environ.pop("KUBERNETES_SERVICE_HOST", None)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    # A shell without job control starts `pytest &` with SIGINT ignored, and every child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what was collected: ten thousand tests, and the code they test."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("node") and not os.environ.get(GIVEN):
        pytest.skip(f"needs a real kubelet: set {GIVEN} to the kubeconfig of a test cluster that has one")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all that this machine lacks."""
    skipped = terminalreporter.getreports("skipped")
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    lacking = Counter(reason.removeprefix(_LACKING) for reason in reasons if reason.startswith(_LACKING))
    if lacking:
        said = "; ".join(f"{count} need {what}" for what, count in lacking.most_common())
        terminalreporter.write_line(f"Not tested here: {said}")
