"""A client against a server that says what a test tells it to."""

import pytest

from backend_client.models.secret import Secret
from backend_client.server.connection import Connection
from tests.backend_client.server.support.scripted import Scripted

TOKEN = "td_not-for-anybodys-eyes"


@pytest.fixture
async def server():
    """One that answers from its script, in order."""
    async with Scripted() as made:
        yield made


@pytest.fixture
async def connection(server):
    made = Connection(server.url, lambda: Secret(TOKEN))
    yield made
    await made.aclose()
