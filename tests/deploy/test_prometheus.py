"""deploy/prometheus over a real scrape: a real Prometheus reads a real server; rules and dashboard name what
it has, and their expressions are ones.
"""

import json
import re
import time

import httpx
import pytest
import yaml

from tests.backend.conftest import PASSWORD
from tests.backend.support.prometheus import needed, promtool, scraping
from tests.backend.test_serve import Serving
from tests.deploy.support.manifests import FOLDER as KUBERNETES
from tests.support.wait import until

FOLDER = KUBERNETES.parent / "prometheus"
TOKEN = "m3trics-0123456789"
_OURS = re.compile(r"\b(?:traindeck|process)_\w+")
_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")


def rule_groups():
    """Return what stands under `spec`: a rule file as Prometheus reads it."""
    return yaml.safe_load((FOLDER / "traindeck-rules.yaml").read_text())["spec"]


def dashboard():
    return json.loads((FOLDER / "grafana-dashboard.json").read_text())


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions():
    """Return every expression of rules and dashboard, with the variables as Grafana fills them in."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    alerts = [rule["expr"] for group in rule_groups()["groups"] for rule in group["rules"]]
    return [expr.replace("$cluster", ".*") for expr in (*shown, *alerts)]


@pytest.fixture
def rules_file(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule_groups()))
    return path


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """Run a server with a job, and a Prometheus that has scraped it twice."""
    needed("prometheus")
    folder = tmp_path_factory.mktemp("scraped")
    env = {"TRAINDECK_SERVER_METRICS_TOKEN": TOKEN, "XDG_STATE_HOME": str(folder / "state")}
    env["TRAINDECK_SERVER_LOCAL_GPUS"] = "2"
    with (
        Serving(folder, "--local", "--listen", "127.0.0.1:0", **env) as server,
        httpx.Client(base_url=server.where) as client,
    ):
        answer = client.post("/api/auth/login", json={"user": "root", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        body = {"kind": "job", "name": "seen", "command": ["sleep", "600"], "gpus": 1}
        assert client.post("/api/jobs", json=body).status_code == 201
        target = server.where.removeprefix("http://")
        try:
            with scraping(folder / "prometheus", target, TOKEN) as prometheus:
                prometheus.has('traindeck_jobs{state="Running"} == 1')
                prometheus.has("count_over_time(traindeck_build_info[1m]) > 1")
                yield prometheus
        finally:
            client.delete("/api/jobs/seen", params={"wait": False})
            until(lambda: client.get("/api/jobs/seen").status_code == 404)


def test_the_rules_are_ones(rules_file):
    code, said = promtool("check", "rules", str(rules_file))
    assert code == 0, said
    assert f"{len(rule_groups()['groups'][0]['rules'])} rules found" in said


def test_every_rule_says_what_it_means():
    for rule in rule_groups()["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]


UNIT_TESTS = {
    "TraindeckClusterNotWatched": {
        "input": [
            ('traindeck_cluster_watch{cluster="lab",state="live"}', "1x5 0x30"),
            ('traindeck_cluster_watch{cluster="well",state="live"}', "1x40"),
        ],
        "quiet": "14m",
        "fires": "20m",
        "labels": {"cluster": "lab", "state": "live", "severity": "warning"},
    },
    "TraindeckDown": {
        "input": [('traindeck_build_info{version="1"}', "1x3 _x20")],
        "quiet": "10m",
        "fires": "16m",
        "labels": {"severity": "critical"},
    },
    "TraindeckGpusIdle": {
        "input": [
            ('traindeck_job_gpus{cluster="lab",use="idle"}', "0x10 24x200"),
            ('traindeck_job_gpus{cluster="lab",use="busy"}', "32x10 8x200"),
            ('traindeck_job_gpus{cluster="blind",use="unknown"}', "64x200"),
            ('traindeck_job_gpus{cluster="blind",use="idle"}', "0x200"),
            ('traindeck_job_gpus{cluster="small",use="idle"}', "2x200"),
        ],
        "quiet": "125m",
        "fires": "140m",
        "labels": {"cluster": "lab", "severity": "info"},
    },
    "TraindeckUsageUnknown": {
        "input": [
            ('traindeck_usage_source_up{cluster="lab",source="Prometheus a/b"}', "1x5 0x60"),
            ('traindeck_usage_source_up{cluster="lab",source="metrics.k8s.io"}', "1x65"),
            ('traindeck_usage_source_up{cluster="bare",source="Prometheus"}', "0x65"),
        ],
        "quiet": "30m",
        "fires": "40m",
        "labels": {"cluster": "lab", "source": "Prometheus a/b", "severity": "warning"},
    },
    "TraindeckAlertsNotDelivered": {
        "input": [("traindeck_delivery_overdue_seconds", "0+60x100")],
        "quiet": "64m",
        "fires": "70m",
        "labels": {"severity": "warning"},
    },
    "TraindeckJobWaitsLong": {
        "input": [
            ('traindeck_oldest_wait_seconds{cluster="lab",queue="big"}', "43000+60x60"),
            ('traindeck_oldest_wait_seconds{cluster="lab",queue="small"}', "60x60"),
        ],
        "quiet": "15m",
        "fires": "30m",
        "labels": {"cluster": "lab", "queue": "big", "severity": "info"},
    },
}
"""Alert -> series by the minute, a time at which it is quiet, one at which it fires, and of what."""


@pytest.mark.parametrize("alert", UNIT_TESTS)
def test_a_rule_fires_when_it_should_and_not_before(alert, rules_file, tmp_path):
    case = UNIT_TESTS[alert]
    series = [{"series": name, "values": spread(values)} for name, values in case["input"]]
    fired = {"eval_time": case["fires"], "alertname": alert, "exp_alerts": [{"exp_labels": case["labels"]}]}
    for one in fired["exp_alerts"]:
        one["exp_annotations"] = expected_annotations(alert, case)
    quiet = {"eval_time": case["quiet"], "alertname": alert, "exp_alerts": []}
    test = {
        "rule_files": [str(rules_file)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": [quiet, fired]}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    code, said = promtool("test", "rules", str(path))
    assert code == 0, said


def spread(values):
    """Write "1x5" as promtool does: one value and five more of it."""
    return " ".join(
        part if "+" in part or part.startswith("_") else part.replace("x", "+0x") for part in values.split()
    )


def expected_annotations(alert, case):
    """Return the annotations as they are told at the moment of the test."""
    told = {
        "TraindeckClusterNotWatched": {
            "summary": "What the server knows of the cluster lab is old.",
            "description": "Its watch has not been live for 10 minutes; `traindeck clusters` says why.",
        },
        "TraindeckDown": {
            "summary": "No traindeck server has been scraped for 5 minutes.",
            "description": "Jobs go on; nobody can submit or look. See the server's log, and the "
            "target in Prometheus.",
        },
        "TraindeckUsageUnknown": {
            "summary": "Prometheus a/b no longer tells what the jobs of lab use.",
            "description": "Alerts about idle GPUs wait meanwhile, and hours without figures are not counted "
            "as idle.",
        },
        "TraindeckGpusIdle": {"summary": "75% of the GPUs that jobs hold in lab do nothing."},
        "TraindeckAlertsNotDelivered": {
            "summary": "Messages of alerts have waited 1h 10m 0s beyond their time."
        },
        "TraindeckJobWaitsLong": {"summary": "A job has waited 12h 26m 40s in lab big."},
    }
    return told[alert]


def test_a_real_prometheus_reads_the_server(scraped):
    assert [value for _, value in scraped.query('up{job="traindeck"}')] == [1]
    (labels, value), *_ = scraped.query('traindeck_owner_jobs{state="Running"}')
    assert (labels["owner"], value) == ("root", 1)
    assert {labels["state"]: value for labels, value in scraped.query("traindeck_gpus")} == {
        "free": 1,
        "held": 1,
    }
    started = scraped.query("process_start_time_seconds")[0][1]
    assert abs(started - time.time()) < 3600


def test_rules_and_dashboard_name_only_what_is_there_and_can_be_asked(scraped):
    told = {one["metric"] for one in scraped.running.ask("/api/v1/targets/metadata")["data"]}
    named = {name for expr in expressions() for name in _OURS.findall(expr)}
    named = {name if name in told else _HISTOGRAM.sub("", name) for name in named}
    assert named <= told, f"not told by the server: {named - told}"
    untold = {name for name in told if name.startswith("traindeck_")} - named
    assert untold == {"traindeck_unknown_objects"}, "shown by no panel and no rule"
    for expr in expressions():
        scraped.query(expr)  # raises for one that is none


def test_panels_of_what_is_always_there_show_something(scraped):
    """So a label that is spelled otherwise than the server does is found."""
    absent = {
        "Oldest wait": "nobody waits",
        "Oldest wait by queue": "nobody waits",
        "Mean utilisation, of what is measured": "nothing is measured",
        "GPU-hours a day by owner (first 10)": "needs hours",
    }
    for panel in panels():
        found = [scraped.query(target["expr"].replace("$cluster", ".*")) for target in panel["targets"]]
        if panel["title"] not in absent:
            assert any(found), panel["title"]


def test_the_dashboard_has_no_two_panels_in_one_place():
    seen = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & seen, panel["title"]
        seen |= cells
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
