"""The catalogue of errors is drawn from the code, and every class of errors has a code of its own."""

import re

import pytest

from deployctl.errors import DeployctlError, Failed, UsageError
from tests.shipped.draw_errors import FILE, cause, errors, page, remedy


def test_the_catalogue_is_the_page_that_the_generator_draws():
    assert FILE.read_text(encoding="utf-8") == page(), "draw it again: python -m tests.shipped.draw_errors"


def test_every_class_of_errors_has_its_own_code_in_kebab_case():
    def below(base: type[DeployctlError]) -> set[type[DeployctlError]]:
        return {base}.union(*map(below, base.__subclasses__()))

    every = errors()
    assert set(every) == {
        e for e in below(DeployctlError) - {DeployctlError} if e.__module__.startswith("deployctl.")
    }
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code) for error in every)


def test_every_error_says_its_cause_in_one_sentence_and_what_to_type():
    assert all(cause(e).endswith(".") and remedy(e) for e in errors())


def test_a_class_without_a_code_is_refused():
    with pytest.raises(TypeError):
        type("Nameless", (Failed,), {})


def test_a_code_that_another_class_has_is_refused():
    with pytest.raises(TypeError, match="have the same code 'busy'"):
        type("Copy", (UsageError,), {}, code="busy")
