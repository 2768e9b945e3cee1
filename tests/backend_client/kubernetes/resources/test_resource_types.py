"""The types of objects that are read."""

from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.resource_types import ResourceType


def test_a_decoder_is_made_once_and_not_before_something_is_read():
    kind = ResourceType("/api/v1", "Thing", "things", Object)
    assert not [name for name in vars(kind) if "decoder" in name]
    assert kind.decode_object(b'{"metadata": {"name": "a"}}').name == "a"
    page = b'{"metadata": {"continue": "c"}, "items": [{"metadata": {"name": "b"}}]}'
    assert [item.name for item in kind.decode_page(page).items] == ["b"]
    made = [kind._object_decoder, kind._page_decoder]
    kind.decode_page(page)
    assert [kind._object_decoder, kind._page_decoder] == made
