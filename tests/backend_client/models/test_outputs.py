"""The folder for outputs: one for each job, the same for the same create."""

from backend_client.models.outputs import Outputs, claim_outputs, own_folder


def test_a_job_has_a_folder_of_its_own_whatever_its_namesakes_have():
    first, second = own_folder("bert", "a"), own_folder("bert", "b")
    assert first == own_folder("bert", "a") != second
    assert first.startswith("bert-")
    assert len({own_folder("bert", str(key)) for key in range(2000)}) == 2000
    assert own_folder("bert", "") == "bert-•••"


def test_where_it_lies_on_a_claim():
    own = own_folder("bert", "k")
    assert claim_outputs("bert", "", "k") is None
    assert claim_outputs("bert", "results", "k") == Outputs(path="/outputs", claim="results", sub_path=own)
    assert claim_outputs("bert", "results/me/x:/out", "k") == Outputs(
        path="/out", claim="results", sub_path=f"me/x/{own}"
    )
