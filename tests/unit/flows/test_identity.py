"""The actor's name is text that every record and every screen can hold."""

from __future__ import annotations

import json

import pytest

from deployctl.flows.identity import actor


@pytest.mark.parametrize("variable", ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "LOGNAME"])
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\udce9ric", "?ric"),
        ("éric", "éric"),
        ("eric\n::add-mask::x", "eric?::add-mask::x"),
        ("e\x1b[2J", "e?[2J"),
    ],
)
def test_a_name_in_another_encoding_or_with_controls_stays_readable(monkeypatch, variable, name, shown):
    monkeypatch.setenv("LOGNAME", "someone-else")
    monkeypatch.setenv(variable, name)
    environment = {} if variable == "LOGNAME" else {variable: name}
    assert actor(environment) == shown
    json.dumps(actor(environment), ensure_ascii=False).encode()
