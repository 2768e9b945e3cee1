"""What the screens share: the scope of the list, what may be done there, and what is asked of the App."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import tui
from backend_client.contexts import Contexts
from backend_client.errors import LoginNeeded
from backend_client.protocol import AccessDecision, Scope, Verb
from tests.support.scripted import ScriptedBackend
from tui.messages import AppRequest, RecheckPermissions
from tui.session import Guarded, Session
from tui.settings.model import Settings


def session(**options: object) -> Session:
    return Session(Contexts([], Path("chosen")), context="scripted", **options)


class Viewers(ScriptedBackend):
    """Allows nothing; `namespaces` gets those that were asked about."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.namespace = namespace
        self.namespaces: list[str] = []

    async def check_access(self, asks):
        self.namespaces += {ask.namespace for ask in asks}
        return [AccessDecision(False, "Viewers change nothing.") for _ in asks]


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        ({}, Scope("own")),
        ({"namespace": "flag"}, Scope("flag")),
        ({"all_namespaces": True, "namespace": "flag"}, Scope("")),
    ],
)
def test_the_scope_is_that_of_the_flag_or_the_contexts_own(options, scope):
    assert session(**options).scope(Viewers("own")) == scope


async def test_permissions_are_those_of_the_scope_and_of_no_earlier_backend():
    shared, backend = session(namespace="flag"), Viewers("own")
    assert not await shared.load_permissions()
    shared.use_backend(backend)
    assert shared.permissions.why_not(Verb.STOP) == ""
    assert await shared.load_permissions()
    assert not await shared.load_permissions()
    assert backend.namespaces == ["flag", "flag"]
    assert shared.permissions.why_not(Verb.STOP) == "Viewers change nothing."
    shared.use_backend(Viewers("other"))
    assert shared.permissions.why_not(Verb.STOP) == ""


async def test_for_all_namespaces_at_once_nothing_is_asked():
    shared, backend = session(all_namespaces=True), Viewers("own")
    shared.use_backend(backend)
    assert not await shared.load_permissions()
    assert backend.namespaces == []


def test_a_recheck_is_a_request_to_the_app():
    requests: list[AppRequest] = []
    session(request=requests.append).recheck_permissions()
    assert requests == [RecheckPermissions()]


def test_the_settings_can_make_it_read_only():
    assert session(settings=Settings(read_only=True)).read_only
    assert session(read_only=True).read_only
    assert not session().read_only


async def test_without_a_server_no_login_helps():
    requests: list[AppRequest] = []
    prompt = session(request=requests.append).login_prompt
    assert not prompt.show()
    assert not await prompt.wait_for_login(LoginNeeded("Your login has ended."))
    assert requests == []
    assert not prompt.needed


def test_a_guarded_screen_keeps_the_styles_of_a_screen():
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.endswith("_screen"):
            importlib.import_module(module.name)
    guarded = Guarded.__subclasses__()
    assert len(guarded) > 5
    assert [cls.__name__ for cls in guarded if "Screen" not in cls._css_type_names] == []
