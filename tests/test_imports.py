"""What a start may load, looked at in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

DEAR = (
    "textual",
    "pydantic",
    "pydantic_settings",
    "kubernetes",
    "fastapi",
    "httpx",
    "keyring",
    "sqlalchemy",
    "yaml",
    "regex",
    "pynvml",
    "websockets",
)
OF_QUESTIONS = (
    "backend_client.gpu_sums",
    "backend_client.queues",
    "backend_client.queue_snapshot",
    "backend_client.usage",
    "backend_client.usage_feed",
    "backend_client.prometheus",
    "backend_client.local.gpu_lines",
    "backend_client.local.usage",
    "backend_client.local.explain",
    "backend_client.logs.failure_card",
    "backend_client.kubernetes.exec",
    "backend_client.kubernetes.explain",
    "backend_client.kubernetes.what_helps",
    "backend_client.kubernetes.queue",
    "backend_client.kubernetes.resources.gpu_ledger",
    "backend_client.kubernetes.resources.gpu_pods",
    "backend_client.kubernetes.resources.queue_types",
    "backend_client.kubernetes.resources.queues",
    "backend_client.kubernetes.status.causes",
    "backend_client.kubernetes.status.fit",
    "backend_client.kubernetes.status.kueue_message",
    "backend_client.kubernetes.status.kueue_reason",
    "backend_client.kubernetes.status.offers",
    "backend_client.kubernetes.status.scheduler_message",
    "backend_client.kubernetes.usage.cluster_usage",
    "backend_client.kubernetes.watch.gpu_watch",
)
"""What answers why a job waits, what jobs use, who holds GPUs, how queues stand: a list asks none of it."""
HEAVY = ("importlib.metadata", "http", "email", "unittest", "xml", "multiprocessing", "tomllib", "doctest")


def loaded(code, tmp_path, *names):
    """Those of `names` that are loaded after `code`."""
    report = f"\nimport sys\nfound = [name for name in {names!r} if name in sys.modules]\n"
    report += "print('loaded', *found, file=sys.stderr)"
    homes = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("STATE", "CONFIG", "CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **homes},
        timeout=60,
    )
    return done.stderr.splitlines()[-1].split()[1:]


VERBS = [
    ["--version"],
    ["--help"],
    ["submit", "--help"],
    ["jobs"],
    ["jobs", "-o", "json"],
    ["describe", "nope"],
    ["gpus"],
    ["forward", "nope"],
    ["top"],
    ["top", "nope"],
    ["usage"],
    ["why", "nope"],
    ["compare", "nope"],
    ["stop", "nope"],
    ["delete", "nope", "--yes"],
    ["queue"],
    ["alerts"],
    ["serve", "--help"],
    ["contexts"],
    ["use", "local"],
    ["config"],
    ["submit", "--", "true"],
    ["jbos"],
    ["completion", "bash"],
    ["complete", "jobs", "--", "logs"],
    ["complete", "contexts"],
    ["doctor"],
    ["man"],
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_verbs_load_nothing_dear(words, tmp_path):
    code = f"from tui.cli import main\nmain({words!r})"
    known = ("yaml", "regex") if words[0] in ("submit", "logs", "completion", "man") else ()
    assert [name for name in loaded(code, tmp_path, *DEAR, *HEAVY) if name not in known] == []


@pytest.mark.parametrize("verb", ["logs", "wait"])
def test_following_loads_no_screen(verb, tmp_path):
    code = f"from tui.cli import main\nmain([{verb!r}, 'nope'])"
    assert loaded(code, tmp_path, *(set(DEAR) - {"regex"}), *HEAVY) == []


def test_the_version_loads_next_to_nothing(tmp_path):
    assert (
        loaded("from tui.cli import main\nmain(['--version'])", tmp_path, "argparse", "asyncio", "msgspec")
        == []
    )


def test_the_client_loads_no_screen(tmp_path):
    code = "import backend_client, backend_client.contexts, backend_client.protocol"
    assert loaded(code, tmp_path, *DEAR, *HEAVY, "rich", "argparse") == []


def test_an_unchanged_start_with_settings_loads_no_pydantic(tmp_path):
    (tmp_path / "traindeck").mkdir()
    (tmp_path / "traindeck/config.toml").write_text("[local]\ngpus = 2\nwrong = 1\n")
    code = "from tui.cli import main\nmain(['jobs'])"
    assert "pydantic" in loaded(code, tmp_path, "pydantic")
    assert loaded(code, tmp_path, *DEAR, *HEAVY) == []


def test_a_cluster_loads_nothing_dear_but_yaml(tmp_path, monkeypatch):
    """Nobody answers there: all that reaching a cluster needs is loaded all the same."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "lab",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    code = "from tui.cli import main\nassert main(['jobs']) == 4"
    assert loaded(code, tmp_path, *DEAR, "h11", *OF_QUESTIONS) == ["yaml", "h11"]


def test_use_is_read_without_what_only_commands_in_pods_need(tmp_path):
    code = "import backend_client.kubernetes.usage.cluster_usage"
    assert loaded(code, tmp_path, "websockets", "httpx", "backend_client.kubernetes.exec") == []


def test_accounts_at_servers_cost_the_other_contexts_nothing(tmp_path):
    (tmp_path / "traindeck").mkdir(mode=0o700)
    servers = {
        "servers": [{"name": "lab", "url": "https://lab.example.org", "user": "ada", "store": "keyring"}]
    }
    (tmp_path / "traindeck/servers.json").write_text(json.dumps(servers))
    for words in (
        ["--help"],
        ["--context", "local", "jobs"],
        ["contexts"],
        ["login", "--help"],
        ["use", "lab"],
    ):
        code = f"from tui.cli import main\nmain({words!r})"
        assert loaded(code, tmp_path, *DEAR, *HEAVY, "fastapi", "sqlalchemy") == [], words


def test_a_server_loads_no_screen_and_no_web_framework(tmp_path):
    """Nobody answers there: all that reaching a server needs is loaded all the same."""
    code = "import os\nos.environ.update(TRAINDECK_CONTEXT='http://127.0.0.1:1', TRAINDECK_TOKEN='td_x')\n"
    code += "from tui.cli import main\nassert main(['jobs']) == 4"
    dear = (
        *DEAR,
        "click",
        "pygments",
        "fastapi",
        "sqlalchemy",
        "backend",
        "backend_client.kubernetes.api.transport",
        "backend_client.gpu_nodes",
        "backend_client.why",
        *OF_QUESTIONS,
    )
    assert loaded(code, tmp_path, *dear) == ["httpx"]


def test_a_bare_machine_loads_no_cluster(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    code = "from tui.cli import main\nassert main(['jobs']) == 0"
    dear = (
        "h11",
        "backend_client.kubernetes.api.transport",
        "backend_client.gpu_nodes",
        "backend_client.why",
    )
    assert loaded(code, tmp_path, *dear, *OF_QUESTIONS) == []


def test_the_first_screen_loads_no_other(tmp_path):
    others = ("tui.form.form_screen", "tui.gpus", "tui.history", "tui.queue", "tui.why")
    assert loaded("import tui.app, tui.jobs.main_screen", tmp_path, *others, *OF_QUESTIONS) == []
