import tomllib
from typing import get_args

import msgspec
import pytest

from backend_client.kubernetes.settings import GpuType, IngressSettings, KubernetesSettings, Toleration
from backend_client.models.alert_thresholds import THRESHOLDS
from backend_client.models.datasets import Dataset
from tui.actions import ACTIONS
from tui.settings import check
from tui.settings.loader import load
from tui.settings.model import AlertRule, AlertSettings, Settings, setting_keys
from tui.settings.paths import user_file
from tui.settings.show import commented_file, effective_settings, markdown_table


@pytest.fixture
def site(tmp_path):
    return tmp_path / "etc" / "config.toml"


@pytest.fixture
def settings(site, monkeypatch):
    """settings(user=TOML, site=TOML, env={...}) -> Loaded."""

    def make(user=None, etc=None, env=None):
        for path, text in ((user_file(), user), (site, etc)):
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode() if isinstance(text, str) else text)
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        return load("1", site)

    return make


def test_nothing_set_is_the_defaults_and_writes_nothing(settings, tmp_path):
    assert settings().settings == Settings()
    assert not list(tmp_path.rglob("settings.json"))


@pytest.mark.parametrize(
    ("user", "etc", "env", "gpus", "origin"),
    [
        (None, None, None, 0, "default"),
        (None, "local.gpus = 2", None, 2, "{site} line 1"),
        ("# mine\n[local]\ngpus = 3", "local.gpus = 2", None, 3, "{user} line 3"),
        (
            "[local]\ngpus = 3",
            "local.gpus = 2",
            {"TRAINDECK_LOCAL__GPUS": "4"},
            4,
            "TRAINDECK_LOCAL__GPUS",
        ),
        ("local = {gpus = 5}", None, None, 5, "{user} line 1"),
    ],
)
def test_weights(settings, site, user, etc, env, gpus, origin):
    loaded = settings(user, etc, env)
    assert loaded.settings.local.gpus == gpus
    assert not loaded.warnings
    assert effective_settings(loaded)["local.gpus"] == (gpus, origin.format(user=user_file(), site=site))


def test_a_variable_can_set_a_key(settings):
    assert settings(env={"TRAINDECK_KEYS__STOP": "X"}).settings.keys == {"stop": "X"}


def test_files_add_up_key_by_key(settings):
    loaded = settings("[local]\ngpus = 3\n[keys]\nstop = 'X'", "[local]\ngrace = 2.5\n[keys]\ndelete = 'D'")
    assert (loaded.settings.local.gpus, loaded.settings.local.grace) == (3, 2.5)
    assert loaded.settings.keys == {"stop": "X", "delete": "D"}


def test_datasets_of_the_site_and_ones_own(settings):
    mine = "[datasets.coco]\nclaim = 'coco'\npath = '/coco'\n[datasets.spoilt]\npath = '/x'"
    loaded = settings(mine, "[datasets.imagenet]\nclaim = 'sets'\npath = '/data'\nsub_path = 'in/1k'")
    assert loaded.settings.datasets == {
        "coco": Dataset(claim="coco", path="/coco"),
        "imagenet": Dataset(claim="sets", path="/data", sub_path="in/1k"),
    }
    (warning,) = loaded.warnings
    assert "datasets.spoilt" in warning
    assert "left out" in warning
    (warning,) = settings("[datasets.coco]\nclaim = 'coco'\npath = '/coco'\nsubpath = 'a'").warnings
    assert "there is no setting datasets.coco.subpath" in warning


def test_the_site_wins(settings):
    loaded = settings(
        "read_only = false\n[local]\nenabled = true",
        "[site]\nread_only = true\nhide_local = true\nserver = 'https://jobs.example.org'",
        {"TRAINDECK_READ_ONLY": "false"},
    )
    assert loaded.settings.read_only
    assert not loaded.settings.local.enabled
    assert loaded.settings.site.server == "https://jobs.example.org"
    assert "line 2" in effective_settings(loaded)["read_only"][1]
    assert not loaded.warnings


def test_only_the_sites_own_file_speaks_for_the_site(settings):
    loaded = settings(
        "theme = 'nord'\n[site]\nserver = 'https://evil'", None, {"TRAINDECK_SITE__SERVER": "x"}
    )
    assert loaded.settings == msgspec.structs.replace(Settings(), theme="nord")
    assert [w for w in loaded.warnings if "line 2: [site] counts in" in w]
    assert [w for w in loaded.warnings if w.startswith("TRAINDECK_SITE__SERVER: [site] counts in")]


@pytest.mark.parametrize(
    ("user", "env", "words"),
    [
        ("keys = 3", None, "{user} line 1: keys is a group"),
        (
            "[local]\ngpsu = 1",
            None,
            "{user} line 2: there is no setting local.gpsu; did you mean local.gpus?",
        ),
        ("theem = 'x'", None, "{user} line 1: there is no setting theem; did you mean theme?"),
        ("\n\nzzz = 1", None, "{user} line 3: there is no setting zzz"),
        ("[keys]\nstopp = 'X'", None, "line 2: there is no setting keys.stopp; did you mean keys.stop?"),
        ("[keys]\nstop = 'a b'", None, "line 2: keys.stop should be the name of a key"),
        ("local.gpus = 'four'", None, "{user} line 1: local.gpus should be a valid integer; it is left out"),
        ("local.gpus = -1", None, "local.gpus should be greater than or equal to 0"),
        ("local.grace = inf", None, "local.grace should be a finite number"),
        ("local = 3", None, "{user} line 1: local is a group"),
        (None, {"TRAINDECK_LOCAL__GPSU": "1"}, "local.gpsu; did you mean TRAINDECK_LOCAL__GPUS?"),
        (
            None,
            {"TRAINDECK_THEEM": "x"},
            "TRAINDECK_THEEM: there is no setting theem; did you mean TRAINDECK_",
        ),
        (
            "list.columns = ['name', 'sate']",
            None,
            "list.columns has no sate (did you mean state?); it is left",
        ),
        (
            "list.group = 'zzz'",
            None,
            "list.group has no zzz (there are none, state, owner, sweep); it is left out",
        ),
        (None, {"TRAINDECK_LOCAL": "x"}, "TRAINDECK_LOCAL: local is a group of settings"),
        (None, {"TRAINDECK_LOCAL__GPUS": "many"}, "TRAINDECK_LOCAL__GPUS: local.gpus should be a valid"),
    ],
)
def test_what_is_wrong_is_a_warning_and_costs_that_key_alone(settings, user, env, words):
    loaded = settings(user, None, env)
    assert loaded.settings == Settings()
    assert len(loaded.warnings) == 1
    assert words.format(user=user_file()) in loaded.warnings[0]


def test_a_wrong_key_leaves_its_neighbours(settings):
    loaded = settings("theme = 'nord'\nfoo = 1\n[local]\ngpus = 'x'\ngrace = 3\n", "local.gpus = 2")
    assert (loaded.settings.theme, loaded.settings.local.grace) == ("nord", 3)
    assert loaded.settings.local.gpus == 2
    assert len(loaded.warnings) == 2


@pytest.mark.parametrize(
    ("user", "etc", "env"),
    [
        ("read_only = 'perhaps'", None, None),
        ("readonly = true", None, None),
        ("read_only = true\nthis is no TOML", None, None),
        ("[local\ngpus = 1", None, None),
        (b"theme = '\xff'", None, None),
        (None, "[site\nhide_local = true", None),
        (None, "[site]\nhide_local = 'maybe'", None),
        (None, "[site]\nhide_locals = true", None),
        (None, "[site]\nserver = 5", None),
        ("local.enabled = 'maybe'", None, None),
        (None, None, {"TRAINDECK_LOCAL__ENABLED": "maybe"}),
        (None, None, {"TRAINDECK_CONTXT": "lab"}),
        (None, "[site]\nread_only = 2", None),
        (None, None, {"TRAINDECK_READ_ONLY": "banana"}),
        ("read_only = false", None, {"TRAINDECK_READ_ONLY": "banana"}),
    ],
)
def test_read_only_fails_closed(settings, user, etc, env):
    loaded = settings(user, etc, env)
    assert loaded.settings.read_only
    assert loaded.warnings


def test_a_file_that_cannot_be_read_holds_read_only(settings, monkeypatch):
    user_file().mkdir(parents=True)
    loaded = settings()
    assert loaded.settings.read_only
    assert "Is a directory" in loaded.warnings[0]


def test_warnings_carry_no_escapes(settings):
    loaded = settings('"\\u001b]0;x\\u0007\\u202e" = 1')
    assert loaded.warnings
    assert loaded.warnings[0].isprintable() or "\ufffd" in loaded.warnings[0]
    assert "\x1b" not in loaded.warnings[0]


class TestCache:
    def test_an_unchanged_start_validates_nothing(self, settings, monkeypatch, tmp_path):
        first = settings("theme = 'nord'\nfoo = 1")
        assert (tmp_path / "cache/traindeck/settings.json").stat().st_mode & 0o777 == 0o600
        monkeypatch.setattr(check, "check", None)
        assert settings() == first

    @pytest.mark.parametrize(
        "change", [{"user": "theme = 'x'"}, {"etc": ""}, {"env": {"TRAINDECK_THEME": "x"}}]
    )
    def test_any_change_validates_again(self, settings, change):
        settings("theme = 'nord'")
        assert settings(**change).settings.theme == ("nord" if "etc" in change else "x")

    def test_another_version_validates_again(self, settings, site, monkeypatch):
        settings("theme = 'nord'")
        monkeypatch.setattr(check, "check", lambda *_: "validated")
        assert load("2", site) == "validated"

    @pytest.mark.parametrize("spoil", ["mode", "text", "link"])
    def test_a_cache_that_others_could_have_written_does_not_count(
        self, settings, tmp_path, monkeypatch, spoil
    ):
        settings("theme = 'nord'")
        cache = tmp_path / "cache/traindeck/settings.json"
        if spoil == "mode":
            cache.chmod(0o666)
        elif spoil == "text":
            cache.write_bytes(b"\xff{")
        else:
            cache.rename(tmp_path / "elsewhere")
            cache.symlink_to(tmp_path / "elsewhere")
        monkeypatch.setattr(check, "check", lambda *_: "validated")
        assert settings() == "validated"

    def test_a_home_that_takes_no_cache_still_starts(self, settings, tmp_path):
        (tmp_path / "cache").write_text("a file")
        assert settings("theme = 'nord'").settings.theme == "nord"


class TestTheFileOfInit:
    def test_it_changes_nothing(self, settings):
        loaded = settings(commented_file())
        assert loaded.settings == Settings()
        assert not loaded.warnings

    def test_every_key_of_it_is_right(self, settings):
        lines = [line.removeprefix("# ") for line in commented_file().splitlines()]
        active = "\n".join(line for line in lines if line.startswith("[") or " = " in line)
        loaded = settings(None, active)
        assert not loaded.warnings
        assert loaded.settings == msgspec.structs.replace(
            Settings(),
            keys={action.id: action.key for action in ACTIONS},
            alerts=AlertSettings(rules={name: rule.default for name, rule in THRESHOLDS.items()}),
        )
        assert len(loaded.origins) == len(setting_keys())

    def test_every_key_is_explained(self):
        assert [key.name for key in setting_keys() if not key.description] == []
        assert tomllib.loads(commented_file())
        assert all(f"`{key.name}`" in markdown_table() for key in setting_keys() if key.path[0] != "keys")


class TestKubernetes:
    def test_a_site_can_say_where_gpu_types_are(self, settings):
        loaded = settings(
            None,
            """
            [kubernetes]
            gpu_resource = "amd.com/gpu"
            [kubernetes.ingress]
            host = "{name}.gpu.example.org"
            annotations = {"example.org/auth" = "on"}
            [kubernetes.gpu_types.A100]
            labels = {pool = "a100"}
            tolerations = [{key = "gpu", effect = "NoSchedule"}]
            """,
        )
        assert loaded.warnings == ()
        assert loaded.settings.kubernetes == KubernetesSettings(
            gpu_resource="amd.com/gpu",
            gpu_types={
                "A100": GpuType(labels={"pool": "a100"}, tolerations=(Toleration("gpu", "", "NoSchedule"),))
            },
            ingress=IngressSettings(host="{name}.gpu.example.org", annotations={"example.org/auth": "on"}),
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            "[kubernetes.gpu_types.A100]\nruntime_class = 'nvidia'",
            "[kubernetes.gpu_types.A100]\nlabels = {}\ntolerations = [{effect = 'NoSchedule'}]",
            "[kubernetes.gpu_types.A100]\nlabels = {}\nlabel = 1",
            "[kubernetes]\nrun_as_user = -1",
            "[kubernetes]\nnvidia_smi = 2",
        ],
    )
    def test_a_wrong_key_is_told_and_costs_no_other(self, settings, wrong):
        loaded = settings(wrong + "\n[local]\ngpus = 3")
        assert len(loaded.warnings) == 1
        assert "kubernetes" in loaded.warnings[0] or "label" in loaded.warnings[0]
        assert loaded.settings.local.gpus == 3

    def test_a_variable_sets_one(self, settings):
        loaded = settings(env={"TRAINDECK_KUBERNETES__GPU_RESOURCE": "amd.com/gpu"})
        assert loaded.settings.kubernetes.gpu_resource == "amd.com/gpu"

    def test_programs_in_pods_are_run_only_where_somebody_says_so(self, settings):
        assert settings().settings.kubernetes.nvidia_smi is False
        assert settings("[kubernetes]\nnvidia_smi = true").settings.kubernetes.nvidia_smi is True
        assert settings("[kubernetes]\nnvidia_smi = 'maybe'").settings.kubernetes.nvidia_smi is False


class TestTemplates:
    """[templates.NAME]: fields of a job, of the person and of the site."""

    def test_they_add_up_and_say_where_they_are_from(self, settings, site):
        loaded = settings(
            '[templates.big]\ngpus = 8\nenv = {A = "1"}', '[templates.big]\ngpus = 4\nimage = "a:1"'
        )
        assert not loaded.warnings
        assert loaded.settings.templates == {"big": {"gpus": 8, "env": {"A": "1"}, "image": "a:1"}}
        shown = effective_settings(loaded)
        assert shown["templates.big.gpus"] == (8, f"{user_file()} line 2")
        assert shown["templates.big.image"] == ("a:1", f"{site} line 3")

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('gpus = "two"', "templates.t.gpus write a whole number of GPUs, 0 or more; it is left out"),
            ('qeue = "x"', "there is no setting templates.t.qeue; did you mean templates.t.queue?"),
            ("image = 2024-01-01", "templates.t.image write text here"),
        ],
    )
    def test_what_is_wrong_costs_its_field_alone(self, settings, line, words):
        loaded = settings(f"[templates.t]\nnodes = 2\n{line}")
        assert loaded.settings.templates == {"t": {"nodes": 2}}
        assert len(loaded.warnings) == 1
        assert f"line 3: {words}" in loaded.warnings[0]

    def test_a_template_is_no_word(self, settings):
        loaded = settings("templates.t = 3")
        assert not loaded.settings.templates
        assert "templates.t" in loaded.warnings[0]


class TestAlerts:
    def test_the_names_are_those_of_the_rules(self):
        assert get_args(AlertRule) == tuple(THRESHOLDS)

    def test_a_threshold_is_read(self, settings):
        loaded = settings('[alerts]\nbell = false\n[alerts.rules]\ngpu-idle = "1h"\nfinished = "on"')
        assert loaded.warnings == ()
        assert loaded.settings.alerts.rules == {"gpu-idle": "1h", "finished": "on"}
        assert not loaded.settings.alerts.bell

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('gpu-idle = "soon"', "alerts.rules.gpu-idle soon is no time; write gpu-idle=30m"),
            ('gpu-idel = "1h"', "did you mean alerts.rules.gpu-idle?"),
        ],
    )
    def test_what_is_wrong_costs_that_rule_alone(self, settings, line, words):
        loaded = settings(f'[alerts.rules]\npending = "2h"\n{line}')
        assert loaded.settings.alerts.rules == {"pending": "2h"}
        assert [words in warning for warning in loaded.warnings] == [True]
