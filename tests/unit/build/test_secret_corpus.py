"""The secret search finds every kind of secret of the corpus, and takes none of the harmless files for one."""

import pytest

from tests.bench.bench_secrets import found
from tests.bench.secret_corpus import Sample, harmless, secrets

SECRETS, HARMLESS = secrets(), harmless()


def kinds(samples: list[Sample]) -> list[str]:
    return [sample.kind for sample in samples]


def test_the_corpus_has_at_least_60_kinds_of_secrets_each_once():
    assert len(set(kinds(SECRETS))) == len(SECRETS) >= 100
    assert len(set(kinds(HARMLESS))) == len(HARMLESS) >= 50


@pytest.mark.parametrize("sample", SECRETS, ids=kinds(SECRETS))
def test_every_kind_of_secret_is_found(sample):
    assert found(sample.path, sample.content)


@pytest.mark.parametrize("sample", HARMLESS, ids=kinds(HARMLESS))
def test_no_harmless_file_is_taken_for_a_secret(sample):
    assert found(sample.path, sample.content) is None


def test_a_token_of_one_character_is_a_placeholder():
    assert found("docs.md", b"ghp_" + b"x" * 36) is None
