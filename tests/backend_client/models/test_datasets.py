"""Datasets of a site: a name becomes a read-only mount, or a sentence with the names that there are."""

import pytest

from backend_client.errors import Invalid
from backend_client.models import Volume
from backend_client.models.datasets import Dataset, with_datasets
from backend_client.models.fields import parse_spec

KNOWN = {
    "imagenet": Dataset(claim="sets", path="/data/imagenet", sub_path="in/1k"),
    "coco": Dataset(claim="coco", path="/data/coco"),
    "spoilt": Dataset(claim="Not_a_name", path="/x"),
}


def resolved(*volumes, known=KNOWN):
    return with_datasets(parse_spec({"volumes": list(volumes)}), known).volumes


def complaint(*volumes, known=KNOWN):
    with pytest.raises(Invalid) as caught:
        resolved(*volumes, known=known)
    assert set(caught.value.fields) == {"volumes"}
    return caught.value.fields["volumes"]


def test_a_name_is_a_read_only_mount():
    assert resolved("~imagenet", "~coco:/c", "mine:/mine") == (
        Volume("/data/imagenet", "sets", read_only=True, sub_path="in/1k"),
        Volume("/c", "coco", read_only=True),
        Volume("/mine", "mine"),
    )


def test_what_is_not_known_is_said_with_what_is():
    said = complaint("~imagenot")
    assert said == (
        "there is no dataset ~imagenot; did you mean ~imagenet? There are: ~coco, ~imagenet, ~spoilt"
    )
    assert "[datasets.NAME] in the settings makes one" in complaint("~imagenet", known={})
    assert complaint("~spoilt").startswith("the settings of the dataset spoilt are wrong: ")
    assert complaint("~coco:/same", "mine:/same") == "two volumes have the same path"
    assert complaint("~coco", "mine:/data/coco") == "two volumes have the same path"


def test_without_datasets_nothing_is_looked_at():
    spec = parse_spec({"volumes": "data:/data"})
    assert with_datasets(spec, {}) is spec
