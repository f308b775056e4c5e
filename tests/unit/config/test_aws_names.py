import pytest

from deployctl.config import aws_names


@pytest.mark.parametrize("name", ["shop", "a", "A.b_c+d=e,f@g-h", "x" * 100, "..."])
def test_codedeploys_application_names_are_taken(name):
    assert aws_names.application_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is empty"),
        ("x" * 101, "has 101 characters, 100 at most"),
        ("a/b", "contains '/'"),
        ("a b", "contains ' '"),
        ("shop\n", r"contains '\n'"),
        ("..", "is a path"),
    ],
)
def test_other_application_names_are_refused(name, fault):
    assert fault in aws_names.application_fault(name)


@pytest.mark.parametrize(
    "name", ["eu-west-1", "us-gov-east-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-6"]
)
def test_regions_are_known_by_their_shape(name):
    assert aws_names.region_fault(name) is None


@pytest.mark.parametrize("name", ["", "eu", "EU-WEST-1", "eu-west", "euwest1", "eu-west-1\n", "eu west 1"])
def test_what_has_not_the_shape_of_a_region_is_refused(name):
    assert "does not look like a region" in aws_names.region_fault(name)


def test_an_availability_zone_is_not_a_region():
    assert aws_names.region_fault("eu-west-1a") == "is an availability zone; its region is 'eu-west-1'"


@pytest.mark.parametrize("name", ["abc", "my.bucket-1", "0a0", "x" * 63])
def test_s3s_bucket_names_are_taken(name):
    assert aws_names.bucket_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("ab", "3 at least"),
        ("x" * 64, "63 at most"),
        ("My-bucket", "contains 'M'"),
        ("my_bucket", "contains '_'"),
        ("-abc", "start and end"),
        ("abc.", "start and end"),
        ("a..b", "contains '..'"),
        ("192.168.5.4", "IP address"),
        ("xn--abc", "reserves"),
        ("abc-s3alias", "reserves"),
        ("s3://abc/def", "is a URL"),
    ],
)
def test_other_bucket_names_are_refused(name, fault):
    assert fault in aws_names.bucket_fault(name)


def test_a_workgroups_name_leaves_room_for_the_historys():
    assert aws_names.workgroup_fault("w" * 120) is None
    assert "120 at most" in aws_names.workgroup_fault("w" * 121)
    assert "contains '/'" in aws_names.workgroup_fault("a/b")


@pytest.mark.parametrize("name", ["", "Shop", "a-b", "1a", "_a", "x" * 129])
def test_databases_that_athena_would_need_quotes_for_are_refused(name):
    assert aws_names.database_fault(name)
    assert aws_names.database_fault("shop_2") is None
