"""Wildcards in EC2's filters."""

import pytest

from deployctl.sandbox.ec2 import filters_by_name


@pytest.mark.parametrize(
    ("value", "text", "fits"),
    [
        ("shop-*", "shop-mail", True),
        ("shop-?", "shop-mail", False),
        ("shop-?", "shop-m", True),
        (r"shop-\*", "shop-*", True),
        (r"shop-\*", "shop-mail", False),
        (r"a\\b", r"a\b", True),
        ("a[b]*", "a[b]c", True),
        ("a[b]*", "ab", False),
        ("a.*", "axy", False),
        ("line*", "line\nbreak", True),
    ],
)
def test_a_filter_value_matches_as_ec2_reads_it(value, text, fits):
    matches = filters_by_name([{"Name": "tag:name", "Values": [value]}])["tag:name"]
    assert matches(text) is fits
