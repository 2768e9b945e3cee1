"""The choice of a context: which there are, which one is meant, and what is said where there is none."""

import pytest

from backend_client.contexts import ContextInfo, Contexts, LocalContext
from backend_client.errors import NotFound, Refused


class Other:
    """A way with contexts of these names."""

    def __init__(self, kind, *names, current=""):
        self.kind = kind
        self.plain = names
        self.is_current = current

    def contexts(self):
        return [ContextInfo(name, self.kind) for name in self.plain]

    def current(self):
        return self.is_current

    def open(self, name):
        return f"{self.kind} {name}"


@pytest.fixture
def contexts(tmp_path):
    def make(*ways):
        return Contexts(ways or (LocalContext(),), tmp_path / "state" / "context")

    return make


def names(contexts):
    return [info.name for info in contexts.list_contexts()]


def test_a_bare_machine_starts_with_local(contexts):
    assert names(contexts()) == ["local"]
    assert contexts().default() == "local"


def test_names_that_meet_are_told_apart(contexts):
    both = contexts(Other("k8s", "lab", "dev"), Other("server", "lab"), LocalContext())
    assert names(both) == ["k8s:lab", "dev", "server:lab", "local"]
    assert both.open("server:lab") == "server lab"
    assert both.open("k8s:dev") == both.open("dev") == "k8s dev"
    with pytest.raises(NotFound) as error:
        both.open("lab")
    assert error.value.hint == "Did you mean k8s:lab or server:lab?"


def test_weights(contexts):
    several = contexts(Other("k8s", "a", "b", "c", "d", current="d"), LocalContext())
    assert several.default() == "d"
    several.set_current("c")
    assert several.default() == "c"
    assert several.default(variable="b") == "b"
    assert several.default("a", "b") == "a"


def test_the_chosen_one_is_remembered_by_its_full_name(contexts):
    contexts(Other("k8s", "lab"), Other("server", "lab")).set_current("server:lab")
    assert contexts(Other("k8s", "lab"), Other("server", "lab")).default() == "server:lab"
    assert contexts(Other("server", "lab")).default() == "lab"
    with pytest.raises(NotFound, match="the last `traindeck use`"):
        contexts(Other("k8s", "lab")).default()


def test_where_local_is_hidden_nothing_falls_back_to_it(contexts):
    hidden = contexts(LocalContext(enabled=False))
    with pytest.raises(Refused, match="No context is left"):
        hidden.default()
    for verb in (hidden.open, hidden.set_current):
        with pytest.raises(Refused, match="switch it off"):
            verb("local")
    assert hidden.list_contexts()[0].unavailable


class Broken(Other):
    """A source whose file cannot be used."""

    def current(self):
        raise Refused("The kubeconfig /x is no YAML in line 3.")


def test_a_source_that_cannot_be_used_is_never_passed_over(contexts):
    both = contexts(Broken("k8s"), Other("server", "lab", current="lab"), LocalContext())
    with pytest.raises(Refused, match="no YAML in line 3"):
        both.default()
    assert both.default("local") == both.default(variable="local") == "local"
    both.set_current("lab")
    assert both.default() == "lab"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["a folder", "no text"])
def test_a_choice_that_cannot_be_read_is_never_passed_over(contexts, tmp_path, content):
    path = tmp_path / "state" / "context"
    path.parent.mkdir()
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(Refused, match="The context that was chosen cannot be read from"):
        contexts().default()
    assert contexts().default("local") == "local"


def test_a_choice_that_differs_from_kubectls_is_said_once(contexts):
    def lab(current):
        return contexts(Other("k8s", "a", "b", "c", current=current), LocalContext())

    assert lab("a").differs_from_kubectl() == ""
    lab("a").set_current("b")
    assert lab("a").differs_from_kubectl() == (
        "Jobs run in b, which `traindeck use` chose; kubectl's current context is a. "
        "`traindeck use -` follows kubectl."
    )
    assert lab("a").differs_from_kubectl() == ""
    assert lab("b").differs_from_kubectl() == ""
    assert "kubectl's current context is c" in lab("c").differs_from_kubectl()
    assert "no YAML in line 3" in contexts(Broken("k8s"), Other("server", "b")).differs_from_kubectl()
    assert lab("a").forget_current() == "b"
    assert lab("a").forget_current() == lab("a").differs_from_kubectl() == ""
    assert lab("a").default() == "a"
