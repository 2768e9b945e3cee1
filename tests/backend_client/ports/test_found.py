"""Where servers say that they listen, as they print it; and what is none of theirs."""

import pytest

from backend_client.ports.found import FoundPort, find_ports


@pytest.mark.parametrize(
    ("line", "number", "name", "path", "secret"),
    [
        ("TensorBoard 2.15.1 at http://localhost:6006/ (Press CTRL+C to quit)", 6006, "TensorBoard", "", ""),
        ("    http://127.0.0.1:8888/lab?token=abc", 8888, "Jupyter", "/lab", "/lab?token=abc"),
        ("[I ServerApp] http://bert-0:8888/tree?token=abc", 8888, "Jupyter", "/tree", "/tree?token=abc"),
        ("* Running on local URL:  http://127.0.0.1:7861", 7861, "", "", ""),
        ("* Running on local URL:  http://127.0.0.1:7860", 7860, "Gradio", "", ""),
        ("  Local URL: http://localhost:8501", 8501, "Streamlit", "", ""),
        ("INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)", 8000, "uvicorn", "", ""),
        ("INFO 11-30 Starting vLLM API server 0 on http://0.0.0.0:8000", 8000, "vLLM", "", ""),
        ("Serving HTTP on 0.0.0.0 port 8080 (http://0.0.0.0:8080/) ...", 8080, "http.server", "", ""),
        ("View the Ray dashboard at 127.0.0.1:8265", 8265, "Ray", "", ""),
        ("listening on 0.0.0.0:9000", 9000, "", "", ""),
        ("Server listening on port 3000", 3000, "", "", ""),
        ("at http://[::]:7000/api.", 7000, "", "/api", ""),
        ("at http://me:pw@localhost:7000/", 7000, "", "", ""),
        ("http://localhost:7000/s/0123456789abcdef0123456789", 7000, "", "", "/s/0123456789abcdef0123456789"),
    ],
)  # fmt: skip
def test_it_is_found(line: str, number: int, name: str, path: str, secret: str):
    (found,) = find_ports([line], ["bert-0"])
    assert (found.number, found.name, found.path, found.secret) == (number, name, path, secret)


@pytest.mark.parametrize(
    "line",
    [
        "see https://docs.example.org:8443/a",
        "http://10.0.0.5:8501",
        "http://evil.localhost.example:80/",
        "http://localhost:99999/",
        "http://localhost:0/",
        "running at 5000 steps",
        "epoch 3 running on gpu 1",
        "http://localhost:" + "9" * 5000,
    ],
)
def test_what_is_no_port_of_the_job(line: str):
    assert find_ports([line]) == []


def test_a_port_is_told_once_with_all_that_is_known_of_it():
    lines = ["http://localhost:8888/lab?token=a", "listening on 0.0.0.0:8888", "http://localhost:6006/"]
    assert find_ports(lines) == [
        FoundPort(6006, "TensorBoard", "http"),
        FoundPort(8888, "Jupyter", "http", "/lab", "/lab?token=a"),
    ]
