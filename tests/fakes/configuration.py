"""Configuration files that tests share."""

from __future__ import annotations

#: The least that a deployctl.toml says.
FOUR_LINES = """\
application = "shop"
region = "eu-west-1"
bucket = "shop-deployctl"
workgroup = "deployctl"
"""
