"""A partial clone gets the blobs that it lacks in one request."""

import pytest

from tests.unit.build.trees import Repository, names


@pytest.fixture(params=["blob:none", "tree:0", "blob:limit=1"])
def clone(request, repository, tmp_path) -> Repository:
    for number in range(40):
        repository.write(f"data/{number}.txt", f"text {number}\n")
    repository.commit("files")
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    path = tmp_path / "clone"
    url = f"file://{repository.path}"
    repository.git("clone", "-q", "--no-checkout", f"--filter={request.param}", url, str(path))
    return Repository(path)


def requests(clone: Repository) -> int:
    """Each request to the remote leaves a pack."""
    return len(list((clone.path / ".git/objects/pack").glob("*.promisor")))


@pytest.mark.parametrize("command", [None, "true"])
def test_missing_blobs_are_fetched_at_once(clone, build_in, command):
    before = requests(clone)
    built = build_in(clone, ref="HEAD", command=command)
    assert {"app.py", "data/0.txt", "data/39.txt"} <= names(built)
    assert requests(clone) - before <= 5
