"""Every verb over a scripted backend: what it asks for, prints and ends with."""

import asyncio
import inspect
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from backend_client.errors import Conflict, Forbidden, Unreachable
from backend_client.models import Event, JobSpec, JobState, Progress, QueuePlace, StartRange
from backend_client.protocol import Diagnostic, Feature, Page
from tests.support.scripted import attempt, make_job
from tui.cli.arguments import Parser
from tui.cli.commands import COMMANDS, HIDDEN
from tui.cli.handlers import BackendHandler

HOSTILE = "a\x1b]0;x\x07\u202e\x9b31m"


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["jbos"], "there is no verb jbos; did you mean jobs?"),
            (["frobnicate"], "there are: submit, again"),
            (["jobs", "--wathc"], "there is no flag --wathc; did you mean --watch?"),
            (["jobs", "--state", "Runing"], "did you mean Running?"),
            (["jobs", "-o", "jsn"], "did you mean json?"),
            (["jobs", "extra"], "extra is one word too many"),
            (["jobs", "-l", "team"], "write KEY=VALUE"),
            (["logs"], "NAME"),
            (["logs", "x", "--tail", "-3"], "--tail"),
            (["logs", "x", "--since", "soon"], "write seconds, or a time like 2h30m"),
            (["stop"], "NAME"),
            (["stop", "--", "x"], "-- stands before the command of submit"),
            (["submit", "--gpu", "1", "--", "x"], "did you mean --gpus?"),
            (["submit", "--gpus", "two", "--", "x"], "gpus: write a whole number of GPUs"),
            (["submit", "python", "train.py"], "the command stands behind --"),
            (["submit"], "command: say what to run"),
            (["submit", "--env", "A", "--", "x"], "A: write NAME=VALUE"),
            (["submit", "--secret", "MISSING_ONE", "--", "x"], "MISSING_ONE is not set in your environment"),
            (["submit", "--name", "Bad_Name", "--", "x"], "bad-name"),
            (["delete", "x"], "give --yes"),
            (["--contxt=x"], "did you mean --context?"),
            (["submit", "--", "\udcff"], "not UTF-8"),
            ([], "needs a terminal"),
        ],
    )
    def test_wrong_usage_ends_with_2_and_says_what_was_meant(self, cli, words, said):
        result = cli(*words)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
        assert "Traceback" not in result.err

    @pytest.mark.parametrize("verb", [verb.name for verb in COMMANDS])
    def test_every_verb_has_help(self, cli, verb):
        result = cli(verb, "--help")
        assert result.code == 0
        assert f"usage: traindeck {verb}" in result.out
        assert f"  {verb} " in cli("--help").out

    @pytest.mark.parametrize(
        "words", [["--context", "local", "jobs"], ["jobs", "--context=local"], ["-n", "a", "jobs"]]
    )
    def test_flags_of_every_verb_stand_before_or_behind_it(self, cli, words):
        assert cli(*words).code == 0

    @pytest.mark.parametrize("command", [*COMMANDS, *HIDDEN], ids=lambda command: command.name)
    def test_every_entry_of_the_table_has_its_code(self, command):
        handler = command.load()
        assert (handler.run.__name__, handler.run.__module__) == (
            command.name,
            command.handler.partition(":")[0],
        )
        assert inspect.iscoroutinefunction(handler.run) == isinstance(handler, BackendHandler)
        parser = Parser()
        handler.add_flags(parser)
        assert parser.format_help()

    @pytest.mark.parametrize("word", ["--help", "--version"])
    def test_help_and_version_load_the_code_of_no_verb(self, word):
        modules = sorted({command.handler.partition(":")[0] for command in (*COMMANDS, *HIDDEN)})
        code = f"import sys\nfrom tui.cli import main\nassert main([{word!r}]) == 0\n"
        code += f"assert not set({modules!r}) & set(sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)

    def test_version(self, cli):
        assert cli("--version").out.startswith("traindeck 0.")


class TestJobs:
    def test_an_empty_list_says_so_on_stderr(self, cli):
        assert cli("jobs") == (0, "NAME  STATE  GPUS  AGE  LOSS  PROGRESS\n", "There are no jobs here.\n")
        assert json.loads(cli("jobs", "-o", "json").out) == []

    def test_trouble_first_and_no_colour_into_a_pipe(self, cli, backend):
        backend.put(
            make_job("old", JobState.SUCCEEDED),
            make_job("bert-ft", gpus=2, progress=Progress(step=3118, total=10000, loss=0.41237)),
            make_job("probe", JobState.FAILED, reason="exit 1: No such file: data.csv"),
        )
        lines = cli("jobs").out.splitlines()
        assert [line.split()[0] for line in lines] == ["NAME", "probe", "bert-ft", "old"]
        assert lines[1].endswith("exit 1: No such file: data.csv")
        assert "0.412" in lines[2]
        assert "3.1k/10k  31%" in lines[2]
        assert "\x1b" not in "".join(lines)
        assert cli("jobs", "-o", "name").out == "probe\nbert-ft\nold\n"
        assert "uid-probe" in cli("jobs", "-o", "wide").out

    def test_json_and_yaml_are_the_models_fields(self, cli, backend):
        backend.put(
            make_job("bert-ft", attempts=(attempt(),), started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        )
        job = json.loads(cli("jobs", "-o", "json").out)[0]
        assert job["name"] == job["ref"]["name"] == "bert-ft"
        assert set(job) == set(
            "name ref state spec reason owner created queued started finished next_try attempts restarts"
            " pauses queue code outputs progress usage urls internal_addresses read_only allows"
            " made_by".split()
        )
        assert job["started"] == "2026-01-02T03:04:05Z"
        assert job["attempts"][0]["exit_code"] == 1
        assert yaml.safe_load(cli("jobs", "-o", "yaml").out)[0] == job
        assert json.loads(cli("describe", "bert-ft", "-o", "json").out) == job

    def test_only_a_watch_reads_progress_and_that_of_what_goes_on(self, cli, backend):
        backend.put(make_job("old", JobState.SUCCEEDED), make_job("bert-ft"))
        backend.fail["look"] = Unreachable("this ends the watch")
        assert cli("jobs").code == 0
        assert cli("jobs", "-w").code == 4
        assert [about for name, about in backend.calls if name == "look"] == [
            (backend.jobs["uid-bert-ft"].ref,)
        ]

    def test_the_query_is_the_backends(self, cli, backend):
        cli("jobs", "-n", "lab", "--state", "running", "--state", "Failed", "-l", "team=nlp")
        query = backend.calls[0][1]
        assert query.namespace == "lab"
        assert query.states == {JobState.RUNNING, JobState.FAILED}
        assert query.labels == {"team": "nlp"}

    @pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
    def test_nothing_hostile_comes_through(self, cli, backend, output):
        backend.put(make_job(HOSTILE, JobState.FAILED, reason=HOSTILE, owner=HOSTILE))
        text = cli("jobs", "-o", output).out
        assert not set(text) & set("\x1b\x07\u202e\x9b")
        if output == "json":
            assert json.loads(text)[0]["name"] == HOSTILE


class TestNames:
    def test_not_found_names_the_nearest(self, cli, backend):
        backend.put(make_job("bert-ft"))
        result = cli("describe", "bert-tf")
        assert (result.code, result.err) == (3, "There is no job bert-tf.\nDid you mean bert-ft?\n")

    def test_a_uid_may_be_shortened(self, cli, backend):
        backend.put(make_job("a", uid="4f6e0000"), make_job("b", uid="99990000"))
        assert cli("describe", "4f6e", "-o", "name").out == "a\n"
        assert cli("describe", "4f6", "-o", "name").code == 3

    @pytest.mark.parametrize(
        ("words", "meant"), [([], "team-a"), (["-n", "team-b"], "team-b"), (["-A"], "")], ids=str
    )
    def test_the_namespace_is_the_named_one_else_the_context_s_own(self, cli, backend, words, meant):
        backend.namespace = "team-a"
        assert cli("jobs", *words).code == 0
        assert next(about for method, about in backend.calls if method == "list").namespace == meant

    def test_one_namespace_and_all_of_them_do_not_go_together(self, cli):
        assert cli("jobs", "-A", "-n", "team-a").code == 2

    def test_a_name_of_several_namespaces_is_refused_with_them(self, cli, backend):
        backend.put(make_job("a", uid="1", namespace="x"), make_job("a", uid="2", namespace="y"))
        result = cli("stop", "a")
        assert result.code == 1
        assert "a job in x, a job in y" in result.err
        assert not [call for call in backend.calls if call[0] == "stop"]

    def test_ones_own_comes_before_what_can_only_be_looked_at(self, cli, backend):
        backend.put(
            make_job("a", uid="1", namespace="x", read_only="of another host"),
            make_job("a", uid="2", namespace="y"),
        )
        assert json.loads(cli("describe", "a", "-o", "json").out)["ref"]["uid"] == "2"


class TestDescribe:
    def test_tells_what_was_asked_and_what_happened(self, cli, backend):
        job = make_job(
            "probe",
            JobState.FAILED,
            command=("python", "a b.py"),
            gpus=2,
            attempts=(attempt(),),
        )
        backend.put(job)
        backend.events_of[job.ref.uid] = [
            Event(
                time=job.created + timedelta(seconds=1),
                reason="Slots",
                message=HOSTILE,
                warning=True,
                count=3,
            )
        ]
        text = cli("describe", "probe").out
        for words in (
            "State:       Failed",
            "python 'a b.py'",
            "Gpus:        2",
            "asked for",
            "warning: Slots",
            "(3 times)",
            "1  gpu-7  pid 4242  exit 1",
        ):
            assert words in text
        assert not set(text) & set("\x1b\x07\u202e\x9b")

    def test_it_says_when_a_waiting_job_is_likely_to_start(self, cli, backend):
        now = datetime.now(UTC)
        starts = StartRange(now - timedelta(hours=1), now + timedelta(days=8), 8, 10)
        queue = QueuePlace(queue="default", starts=starts)
        backend.put(make_job("probe", state=JobState.QUEUED, queue=queue))
        text = cli("describe", "probe").out
        assert "Starts:      likely by " in text
        assert "(8 of the last 10 like this were right)" in text

    def test_yaml_is_the_spec_file(self, cli, backend):
        backend.put(make_job("probe", gpus=2, command=("python", "-c", "print('a: b')\n")))
        assert yaml.safe_load(cli("describe", "probe", "-o", "yaml").out) == {
            "name": "probe",
            "command": ["python", "-c", "print('a: b')\n"],
            "gpus": 2,
        }


class TestSubmit:
    def spec(self, backend):
        return next(about for method, about in backend.calls if method == "create")

    def test_data_on_stdout_and_words_on_stderr(self, cli):
        assert cli("submit", "--", "python", "train.py") == (
            0,
            "train\n",
            "train is submitted to a script.\n",
        )

    def test_flags_and_command(self, cli, backend, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        words = "--name a --gpus 2 --env A=1 --env B=x=y --secret HF_TOKEN --port 80 --max-runtime 2h30m"
        result = cli(
            "submit", *words.split(), "--label", "team=nlp", "--", "sh", "-c", "exit 3", "--", "--gpus"
        )
        assert result.code == 0
        spec = self.spec(backend)
        assert spec.command == ("sh", "-c", "exit 3", "--", "--gpus")
        assert (spec.gpus, spec.env, spec.secrets, spec.max_runtime) == (
            2,
            {"A": "1", "B": "x=y"},
            ("HF_TOKEN",),
            9000,
        )
        assert spec.ports[0].number == 80
        assert spec.labels == {"team": "nlp"}
        assert backend.secrets["HF_TOKEN"].reveal() == "hf_secret"
        assert "hf_secret" not in result.out + result.err

    @pytest.mark.parametrize(
        "text",
        ["{command: [a, b], env: {A: x, B: y}, gpus: 1}", '{"command": "a b", "env": "A=x B=y", "gpus": 1}'],
    )
    def test_flags_weigh_more_than_the_file(self, cli, backend, tmp_path, text):
        (tmp_path / "job.yaml").write_text(text)
        cli("submit", "-f", str(tmp_path / "job.yaml"), "--gpus", "3", "--env", "A=z")
        spec = self.spec(backend)
        assert (spec.command, spec.gpus) == (("a", "b"), 3)
        assert spec.env["A"] == "z"

    def test_a_template_weighs_less_than_the_file(self, cli, backend, tmp_path):
        (tmp_path / "config" / "traindeck").mkdir(parents=True)
        settings = '[templates.big]\ngpus = 8\nnodes = 2\nenv = {A = "x", B = "y"}'
        (tmp_path / "config" / "traindeck" / "config.toml").write_text(settings)
        (tmp_path / "job.yaml").write_text("{gpus: 4, env: {B: z}}")
        words = ["--template", "big", "-f", str(tmp_path / "job.yaml"), "--env", "C=w", "--", "a"]
        assert cli("submit", *words).code == 0
        spec = self.spec(backend)
        assert (spec.gpus, spec.nodes, spec.env) == (4, 2, {"A": "x", "B": "z", "C": "w"})
        result = cli("submit", "--template", "bug", "--", "a")
        assert (result.code, result.err) == (3, "There is no template bug.\nDid you mean big?\n")

    @pytest.mark.parametrize(
        ("content", "code", "said"),
        [
            (b"comand: x", 2, "comand: there is no such field; did you mean command?"),
            (b"a: [", 2, "is no YAML"),
            (b"- a", 2, "is no mapping"),
            (b"", 2, "is no mapping of a job's fields: it is empty"),
            (b"a: \xff", 2, "is no YAML"),
            (b"name: x\nname: y", 2, "in line 2: name stands in line 1 already"),
            (b"name: 2026-01-01", 2, "in line 1: 2026-01-01 is a date to YAML; put it in quotes"),
            (b"env: {A: yes}", 2, "reads a bare yes as true; put it in quotes"),
            (b"env: {A: 012}", 2, "reads 012 as 10; put it in quotes"),
            (b"env:\n\tA: x", 2, "in line 2: it is indented by a tab"),
            (b"name: a\n---\nname: b", 2, "has several documents"),
            (b"a: \x1b", 2, "is no YAML"),
            (b"!!python/object/apply:os.system [id]", 2, "is no YAML"),
            (b"#" * (2**20 + 1), 2, "larger than 1 MiB"),
            (None, 3, "There is no file"),
        ],
    )
    def test_what_is_wrong_with_a_file(self, cli, tmp_path, content, code, said):
        path = tmp_path / "job.yaml"
        if content is not None:
            path.write_bytes(content)
        result = cli("submit", "-f", str(path))
        assert result.code == code
        assert said in result.err
        assert "\x1b" not in result.err

    def test_every_wrong_field_is_named(self, cli):
        result = cli("submit", "--gpus", "x", "--nodes", "0", "--", "a")
        assert result.code == 2
        assert [line.partition(":")[0] for line in result.err.splitlines()] == ["gpus", "nodes"]

    def test_dry_run_prints_the_plan_and_makes_nothing(self, cli, backend):
        result = cli("submit", "--dry-run", "--gpus", "1", "--", "python", "train.py")
        assert result.code == 0
        assert "gpus: 1" in result.out
        assert not backend.created

    def test_a_plan_with_errors_is_refused(self, cli, backend):
        backend.plan_errors = (Diagnostic("gpus", "this machine has 0"),)
        result = cli("submit", "--gpus", "1", "--", "a")
        assert (result.code, result.err) == (1, "gpus: this machine has 0\n")
        assert not backend.created

    def test_no_question_without_a_terminal(self, cli, backend):
        backend.question = "Really here?"
        result = cli("submit", "--", "a")
        assert result.code == 0
        assert "Really" not in result.err

    def test_a_taken_name(self, cli, backend):
        backend.put(make_job("a"))
        result = cli("submit", "--name", "a", "--", "x")
        assert result.code == 1
        assert "is taken" in result.err

    @pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
    def test_the_job_as_data(self, cli, output, read):
        assert read(cli("submit", "-o", output, "--", "a").out)["name"] == "a"

    @pytest.mark.parametrize("how", [["--read-only"], []])
    def test_read_only_refuses(self, cli, backend, monkeypatch, how):
        if not how:
            monkeypatch.setenv("TRAINDECK_READ_ONLY", "1")
        for words in (["submit", "--", "a"], ["stop", "a"], ["delete", "a", "--yes"]):
            result = cli(*how, *words)
            assert result.code == 1
            assert "read-only" in result.err
        assert cli(*how, "submit", "--dry-run", "--", "a").code == 0
        assert not backend.created


class TestStopAndDelete:
    def test_each_is_worked_on_and_reported(self, cli, backend):
        backend.put(make_job("a"), make_job("b", JobState.FAILED))
        result = cli("stop", "a", "nope", "b")
        assert result.code == 3
        assert result.err.splitlines()[0] == "a: stopped"
        assert "nope: there is no job nope\n" in result.err
        assert "b has ended already: Failed" in result.err

    def test_all_namespaces_are_named(self, cli, backend):
        backend.put(make_job("a", namespace="team-a"))
        lines = [line.split() for line in cli("jobs", "-A").out.splitlines()]
        assert lines[0] == ["NAME", "STATE", "GPUS", "AGE", "LOSS", "NAMESPACE", "PROGRESS"]
        assert lines[1][-1] == "team-a"

    def test_resume(self, cli, backend):
        backend.put(make_job("a", JobState.STOPPED), make_job("b", JobState.STOPPED))
        result = cli("resume", "a", "b", "-o", "name")
        assert (result.code, result.out) == (0, "a\nb\n")
        assert result.err.splitlines() == ["a: pending", "b: pending"]

    def test_again(self, cli, backend):
        spec = JobSpec(name="bert-ft", command=("python", "x.py"), gpus=2)
        backend.put(make_job("bert-ft", JobState.FAILED, spec=spec))
        result = cli("again", "bert-ft")
        assert (result.code, result.out) == (0, "bert-ft-2\n")
        made = next(about for method, about in backend.calls if method == "create")
        assert (made.gpus, made.command) == (2, ("python", "x.py"))

    def test_a_deployment_that_should_have_been_a_job(self, cli, backend):
        spec = JobSpec(name="bert", command=("python", "x.py"), kind="deployment", replicas=3)
        backend.put(make_job("bert", kind="deployment", spec=spec))
        backend.plan_errors = (Diagnostic("gpus", "there are none"),)
        assert cli("again", "bert", "--as-job").code == 1
        assert backend.jobs["uid-bert"].state is JobState.RUNNING
        backend.plan_errors = ()
        assert cli("again", "bert", "--as-job").out == "bert-2\n"
        acts = [(method, about) for method, about in backend.calls if method in ("stop", "create")]
        assert [method for method, _ in acts] == ["stop", "create"]
        assert (acts[1][1].kind, acts[1][1].replicas) == ("job", 1)

    def test_events_that_may_not_be_read_are_no_failure(self, cli, backend):
        backend.put(make_job("a"))
        backend.fail["events"] = Forbidden("you may not list events in team-a")
        result = cli("describe", "a")
        assert result.code == 0
        assert "asked for" in result.out
        assert "its events cannot be read: you may not list events in team-a" in result.err

    def test_a_delete_that_nobody_waits_for(self, cli, backend):
        backend.put(make_job("a"))
        result = cli("delete", "a", "--yes", "--no-wait")
        assert (result.code, backend.jobs) == (0, {})
        assert "a: not waited for" in result.err

    def test_delete(self, cli, backend):
        backend.put(make_job("a"), make_job("b"))
        result = cli("delete", "a", "b", "--yes")
        assert result.code == 0
        assert not backend.jobs
        assert "a: stopping it" in result.err
        assert "b is deleted" in result.err

    @pytest.mark.parametrize(
        ("error", "code"), [(Forbidden("no"), 5), (Unreachable("gone"), 4), (Conflict("changed"), 1)]
    )
    def test_exit_codes_of_errors(self, cli, backend, error, code):
        backend.put(make_job("a"))
        backend.fail["stop"] = backend.fail["list"] = error
        assert cli("stop", "a").code == code
        assert cli("jobs").code == code


class TestLogs:
    def test_byte_for_byte_into_a_pipe(self, cli, backend):
        backend.put(make_job("a"))
        backend.logs_of["uid-a"] = [b"\x1b[31mred\xff\x00", b"", b" 45%|\r 46%|"]
        out = cli("logs", "a").out.encode(errors="surrogateescape")
        assert out == b"\x1b[31mred\xff\x00\n\n 45%|\r 46%|\n"
        assert cli("logs", "a", "--tail", "1").out == " 45%|\r 46%|\n"

    def test_timestamps(self, cli, backend):
        backend.put(make_job("a"))
        backend.logs_of["uid-a"] = [b"x", b"y"]
        first, second = cli("logs", "a", "--timestamps").out.splitlines()
        stamp, text = second.split(" ")
        assert text == "y"
        assert datetime.fromisoformat(stamp[:26]).year >= 2026
        assert stamp.endswith("Z")
        assert first.endswith("Z x")

    def test_the_query_is_the_backends(self, cli, backend):
        backend.put(make_job("a"))
        cli("logs", "a", "--tail", "7", "--since", "5m", "--attempt", "2", "--rank", "3")
        query = next(about for method, about in backend.calls if method == "logs")
        assert (query.tail, query.attempt, query.rank, query.follow) == (7, 2, 3, False)
        assert timedelta(minutes=4) < datetime.now(UTC) - query.since < timedelta(minutes=6)

    def test_an_empty_log_says_why(self, cli, backend):
        backend.put(make_job("a", JobState.QUEUED, reason="waits for 2 GPUs"))
        assert cli("logs", "a") == (0, "", "a: Queued: waits for 2 GPUs.\n")
        backend.put(make_job("b", JobState.STOPPED))
        assert cli("logs", "b").err == "b: It wrote nothing.\n"
        backend.missing_features[Feature.STOPPED_LOGS] = "its pods go, and their logs with them"
        assert cli("logs", "b").err == "b: Stopped. Its pods go, and their logs with them.\n"


class TestWait:
    @pytest.mark.parametrize(
        ("state", "more", "code"),
        [
            (JobState.SUCCEEDED, {"attempts": (attempt(exit_code=0),)}, 0),
            (JobState.FAILED, {"attempts": (attempt(exit_code=3),)}, 3),
            (JobState.FAILED, {"attempts": (attempt(exit_code=137, signal=9),)}, 137),
            (JobState.FAILED, {"attempts": (attempt(exit_code=0),)}, 1),
            (JobState.FAILED, {"attempts": (attempt(exit_code=None),)}, 125),
            (JobState.FAILED, {}, 125),
            (JobState.STOPPED, {"attempts": (attempt(exit_code=0),)}, 143),
        ],
    )
    def test_the_jobs_own_code(self, cli, backend, state, more, code):
        backend.put(make_job("a", state, **more))
        assert cli("wait", "a").code == code
        backend.ended_logs.add("uid-a")

    def test_running_is_enough_where_asked(self, cli, backend):
        backend.put(make_job("a", JobState.RUNNING))
        assert cli("wait", "a", "--for", "running").code == 0

    def test_time_out(self, cli, backend):
        backend.put(make_job("a", JobState.RUNNING))
        assert cli("wait", "a", "--timeout", "1").code == 124

    def test_a_crash_loop_has_not_ended(self, cli, backend):
        soon = datetime.now(UTC) + timedelta(seconds=9)
        backend.put(make_job("a", JobState.FAILED, next_try=soon, attempts=(attempt(),)))
        assert cli("wait", "a", "--timeout", "1").code == 124

    def test_not_reachable_while_waiting_cannot_be_told(self, cli, backend):
        backend.put(make_job("a"))
        backend.fail["watch"] = Unreachable("the line is dead")
        assert cli("wait", "a").code == 125

    def test_no_such_job(self, cli):
        assert cli("wait", "nope").code == 125, "3 may be the exit code of a job"


class TestSetup:
    def test_contexts(self, cli):
        assert "*  local  local  this machine" in cli("contexts").out
        assert json.loads(cli("contexts", "-o", "json").out)[0]["current"] is True
        assert cli("contexts", "-o", "name").out == "local\n"

    def test_use(self, cli, home):
        assert cli("use", "local").code == 0
        assert (home / "state/traindeck/context").read_text() == "local"
        result = cli("use", "locla")
        assert result.code == 3
        assert "Did you mean local?" in result.err

    @pytest.mark.parametrize("how", ["flag", "variable", "chosen"])
    def test_a_chosen_one_that_vanished_is_an_error(self, cli, home, monkeypatch, how):
        words = ["--context", "gone"] if how == "flag" else []
        if how == "variable":
            monkeypatch.setenv("TRAINDECK_CONTEXT", "gone")
        if how == "chosen":
            (home / "state/traindeck").mkdir(parents=True)
            (home / "state/traindeck/context").write_text("gone")
        result = cli("jobs", *words)
        assert result.code == 3
        assert "There is no context gone" in result.err

    def test_a_hidden_local_is_refused(self, cli, monkeypatch):
        monkeypatch.setenv("TRAINDECK_LOCAL__ENABLED", "false")
        for words in (["jobs"], ["jobs", "--context", "local"], ["use", "local"]):
            result = cli(*words)
            assert result.code == 1
            assert "switch it off" in result.err

    def test_config_tells_value_and_origin(self, cli, monkeypatch):
        monkeypatch.setenv("TRAINDECK_LOCAL__GPUS", "4")
        assert "4" in next(line for line in cli("config").out.splitlines() if "TRAINDECK_LOCAL__GPUS" in line)
        assert json.loads(cli("config", "-o", "json").out)["local.gpus"] == {
            "value": 4,
            "from": "TRAINDECK_LOCAL__GPUS",
        }

    def test_config_init_writes_once(self, cli, home):
        path = home / "config/traindeck/config.toml"
        assert cli("config", "--init").out == f"{path}\n"
        assert path.stat().st_mode & 0o777 == 0o600
        assert cli("config").err == ""
        assert cli("config", "--init").code == 1

    def test_warnings_come_on_stderr_and_the_program_goes_on(self, cli, monkeypatch):
        monkeypatch.setenv("TRAINDECK_LOCAL__GPSU", "4")
        result = cli("jobs", "-o", "name")
        assert (result.code, result.out) == (0, "")
        assert "did you mean TRAINDECK_LOCAL__GPUS?" in result.err


class TestDefects:
    def test_a_defect_is_a_report_without_secrets_and_no_traceback(self, cli, backend, home, monkeypatch):
        monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
        monkeypatch.setenv("PLAIN", "from-a-secret")

        async def broken(spec, *, key, secrets):
            raise RuntimeError(f"0123456789abcdef {secrets['PLAIN'].reveal()} token=tok123 hf_abcdefghij")

        backend.create = broken
        result = cli("submit", "--secret", "PLAIN", "--", "a")
        assert result.code == 1
        assert "Traceback" not in result.err
        (path,) = (home / "state/traindeck/crash").iterdir()
        assert str(path) in result.err
        assert path.stat().st_mode & 0o777 == 0o600
        text = path.read_text()
        assert "RuntimeError: *** *** token=*** ***" in text
        assert "in submit" in text
        assert not [word for word in ("0123456789", "from-a-secret", "tok123", "hf_abc") if word in text]

    def test_a_defect_that_nobody_waits_for_is_told_too(self, cli, backend, home):
        async def broken(query, *, after=""):
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            return Page(())

        backend.list = broken
        result = cli("jobs")
        assert result.code == 0
        assert "Traceback" not in result.err
        assert "ZeroDivisionError" in next((home / "state/traindeck/crash").iterdir()).read_text()

    def test_no_report_where_nothing_can_be_written(self, cli, backend, home):
        (home / "state").write_text("a file")
        backend.fail["list"] = ValueError("x")
        result = cli("jobs")
        assert result.code == 1
        assert "no report could be written" in result.err
