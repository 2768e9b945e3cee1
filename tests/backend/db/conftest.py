"""Databases that nobody has opened yet: here the migrations run."""

import itertools

import pytest

from tests.backend.conftest import DATABASES

_numbers = itertools.count()


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/traindeck.db"
    return request.getfixturevalue("postgres").fresh(f"empty{next(_numbers)}")
