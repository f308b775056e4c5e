"""The page as a whole: what it tells, that it loads nothing, and that nothing told in it can become markup."""

import base64
import hashlib
import json
import re
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.cause import Category, Cause
from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import ReleaseSummary
from deployctl.model.report import VersionCount
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import sanitize
from deployctl.report.html import timeline, workers
from deployctl.report.html.page import page
from tests.examples import examples
from tests.fakes.fleet_reports import NOW, found, made_up_report, record, run, troubled, worker

MAILABLE_BYTES = 5_000_000


class Read(HTMLParser):
    """The page as a parser sees it: its elements with the names of their attributes, its texts, its scripts."""

    def __init__(self, markup):
        super().__init__()
        self.shape, self.said, self.values, self.blocks = [], [], [], {}
        self._inside = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.values += [(tag, name, value) for name, value in attrs]
        if tag not in ("br", "input", "link", "meta"):
            self._inside.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self._inside.pop()[0] == tag

    def handle_data(self, data):
        tag, name = self._inside[-1] if self._inside else (None, None)
        if tag in ("script", "style"):
            self.blocks[name or tag] = data
        else:
            self.said.append(data)

    @property
    def text(self):
        return re.sub(r" ([,.:;)])", r"\1", " ".join(" ".join(self.said).split()))

    @property
    def data(self):
        return json.loads(self.blocks["data"])


@pytest.fixture(scope="module")
def made_up():
    return Read(page(made_up_report()))


# What it tells.


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([worker("i-1"), worker("i-2", "mail")], "All is well: 2 workers of shop as desired, in 2 groups"),
        (
            [worker("i-1"), troubled(0, "i-2", "mail")],
            "1 of 2 workers of shop is not as desired, in 1 of 2 groups",
        ),
        (
            [worker("i-1"), worker("i-2", category=Category.DEPLOYING, cause=Cause.STILL_DEPLOYING)],
            "No drift; 1 of 2 workers of shop still deploying",
        ),
        (
            [
                worker(
                    "i-1", category=Category.NOT_MANAGED, cause=Cause.NO_DESIRED_VERSION, desired_version=None
                )
            ],
            "Nothing is desired yet of 1 worker of shop",
        ),
        ([], "shop has no workers"),
    ],
)
def test_the_first_sentence_says_whether_all_is_well(members, sentence):
    markup = page(made_up_report(found=found(*members)))
    assert re.search(r"<h1>.*?</h1>", markup)[0].endswith(f"{sentence}</h1>")
    assert f"<title>shop: {sentence}</title>" in markup


def test_it_says_how_old_it_was_when_it_was_written(made_up):
    assert "Seen at 2026-11-22 03:10Z, 2m00s before this page was written" in made_up.text
    old = Read(page(made_up_report(written_at=NOW + timedelta(hours=3))))
    assert ("span", "class", "old") in old.values
    assert "3h02m before this page was written" in old.text


def test_it_says_what_runs_now_and_how_the_last_release_went(made_up):
    assert "Running: v42 on 286, v41 on 11, no version on 2" in made_up.text
    assert (
        "Last release: v42 by maria, 2026-11-21 22:12Z: ✗ failed"
        " Last repair: to v42 by maria, 2026-11-21 23:12Z: ✓ verified"
    ) in made_up.text


def test_a_rollback_is_named_as_one_and_a_repair_alone_too():
    for kind in (ReleaseKind.ROLLBACK, ReleaseKind.REPAIR):
        past = record("v42", NOW - timedelta(hours=4), 3, Verdict.VERIFIED, kind=kind)
        told = Read(page(made_up_report(releases=(ReleaseSummary(release_id=past.release_id, record=past),))))
        assert f"Last {kind.value}: to v42 by maria, 2026-11-21 23:12Z: ✓ verified" in told.text
        assert "Last release:" not in told.text


def test_over_time_releases_and_rollbacks_are_marked_and_repairs_are_not(made_up):
    assert "release to v42 began at 2026-11-21T22:12:00Z" in made_up.text
    assert "repair to v42 began" not in made_up.text


def test_what_was_passed_over_is_said_beside_the_picture(made_up):
    assert "one look in every" not in made_up.text
    told = Read(page(made_up_report(counts_every=timedelta(minutes=84))))
    assert "Where days are not compacted yet, one look in every 1h24m was read" in told.text


def test_what_could_not_be_read_is_said_at_the_top():
    told = Read(page(made_up_report(unread=("versions of days that are over: no such table",))))
    assert "Missing on this page: versions of days that are over: no such table" in told.text


def test_each_remedy_is_told_once_with_how_many_it_mends():
    again = "deployctl release v42 --existing --group mail --redeploy"
    told = Read(page(made_up_report(found=found(*(troubled(4, f"i-{n}", "mail") for n in range(7))))))
    listed = told.text.partition("What to type")[2].partition("Workers Filter")[0]
    assert listed.count(again) == 1
    assert "7 workers of mail: launched-with-older-revision" in listed


def test_remedies_beyond_a_dozen_are_counted():
    many = [troubled(3, f"i-{n:03}", "mail") for n in range(40)]
    told = Read(page(made_up_report(found=found(*many))))
    assert told.text.partition("Workers Filter")[0].count("aws ec2 create-tags") == workers.MOST_REMEDIES
    assert "And 28 other commands: each worker's own is in the table." in told.text


def test_where_all_is_well_there_is_nothing_to_type():
    assert "What to type" not in Read(page(made_up_report(found=found(worker("i-1"))))).text


def test_every_worker_is_in_the_data_and_those_behind_come_first():
    fleet = made_up_report(workers=500, groups=20, behind=60).found.workers
    data = Read(page(made_up_report(found=found(*fleet)))).data
    told = {row[0]: row for row in data["rows"]}
    assert set(told) == {w.instance_id for w in fleet}
    drift = [data["categories"][row[2]][2] for row in data["rows"]]
    assert drift == sorted(drift, reverse=True)
    for each in fleet:
        _, group, category, cause, evidence, runs, desired, behind, remedy = told[each.instance_id]
        word = [None if n < 0 else data["s"][n] for n in (group, cause, evidence, runs, desired, remedy)]
        assert word[:5] == [
            each.group,
            each.cause and each.cause.value,
            each.evidence,
            each.deployed_version,
            each.desired_version,
        ]
        assert data["categories"][category][0] == each.category
        assert behind == (-1 if each.minutes_behind is None else each.minutes_behind)
        assert (word[5] and word[5].replace("\0", each.instance_id)) == each.remedy


def test_without_javascript_the_worst_workers_are_there_with_their_remedies():
    told = Read(page(made_up_report(workers=500, groups=20, behind=60)))
    rows = [value for tag, name, value in told.values if (tag, name, value) == ("td", "class", "c-instance")]
    assert len(rows) == workers.FIRST_ROWS
    assert "Sorting, filtering and copying need JavaScript, and so do 400 more workers." in told.text


def test_a_command_is_told_whole_and_long_evidence_is_cut_in_a_large_fleet_only():
    long = "e" * 5_000
    one = Read(page(made_up_report(found=found(troubled(0, "i-1", "mail"), worker("i-2", evidence=long)))))
    assert max(len(s) for s in one.data["s"]) == workers.LONGEST
    many = [
        replace(troubled(0, f"i-{n}", "mail"), evidence=f"{n} {long}", group="g" * 300) for n in range(3_001)
    ]
    data = Read(page(made_up_report(found=found(*many)))).data
    assert {len(data["s"][row[4]]) for row in data["rows"]} == {workers.EVIDENCE_CHARS // 3_001}
    (remedy,) = {data["s"][row[8]] for row in data["rows"]}
    assert remedy.replace("\0", many[0].instance_id) == many[0].remedy


@pytest.mark.parametrize("behind", [0, 1_500, 10_000])
def test_ten_thousand_workers_stay_a_page_that_can_be_mailed(behind, figures):
    size = len(page(made_up_report(10_000, 500, behind=behind)).encode())
    figures(f"report of 10,000 workers, {behind:,} of them behind: {size / 1e6:.2f} MB")
    assert size < MAILABLE_BYTES


def test_a_release_is_told_group_by_group_those_that_failed_first():
    newest = record("v42", NOW - timedelta(hours=1), 6, Verdict.FAILED)
    told = Read(page(made_up_report(runs=(run(newest, failing=frozenset({5})),)))).text
    part = told.partition("The last releases, group by group")[2].partition("Versions over time")[0]
    names = [part.index(g) for g in newest.groups]
    assert min(names) == names[5]
    assert "5 verified, 1 failed" in part
    failure = "failed at 02:13:49Z: ValidateService: ScriptFailed in deploy/hooks/validate_service.sh"
    assert f"i-00050000000000000 {failure}" in part


def test_a_group_says_how_long_it_took_from_its_own_beginning():
    newest = record("v42", NOW - timedelta(hours=1), 1, Verdict.VERIFIED)
    assert "50s 6 verified" in Read(page(made_up_report(runs=(run(newest),)))).text


def test_of_a_release_under_way_the_bars_end_now():
    began = NOW - timedelta(minutes=10)
    going = record("v43", began, 2, None, took_s=0)
    told = run(going, in_progress=True)
    first = replace(
        told.groups[0], verdict=None, began_at=began + timedelta(minutes=5), ended_at=None, workers=()
    )
    second = replace(told.groups[1], verdict=None, began_at=None, ended_at=None, workers=())
    read = Read(page(made_up_report(runs=(replace(told, groups=(first, second)),))))
    bars = {(n, v) for tag, n, v in read.values if tag == "rect" and n in ("x", "width")}
    assert {("x", "500"), ("width", "500")} <= bars
    assert "under way" in read.text
    assert "nothing was started" in read.text


def test_groups_in_which_nothing_failed_are_folded_away_beyond_some():
    newest = record("v42", NOW - timedelta(hours=1), 100, Verdict.VERIFIED)
    told = Read(page(made_up_report(100, 100, behind=0, runs=(run(newest),)))).text
    assert f"{100 - timeline.MOST_QUIET} more groups in which nothing failed" in told


def test_the_release_that_did_not_hold_is_open_though_a_repair_came_after_it(made_up):
    markup = page(made_up_report())
    opened = re.findall(r'<details( open)? class="release">', markup)
    assert opened == [" open", " open", "", "", ""]


def test_versions_over_time_are_the_same_in_the_picture_and_in_the_table():
    counts = (
        VersionCount(at=NOW - timedelta(hours=4), workers={"v1": 10}),
        VersionCount(at=NOW - timedelta(hours=2), workers={"v1": 4, "v2": 5, None: 1}),
        VersionCount(at=NOW - timedelta(hours=1), workers={}),
    )
    seen_at = NOW
    told = Read(
        page(made_up_report(counts=counts, found=found(worker("i-1"), snapshot_at=seen_at), releases=()))
    )
    chart = json.loads(told.blocks["chart-data"])
    assert chart["names"] == ["v1", "v2", "no version"] or chart["names"] == ["v2", "v1", "no version"]
    assert [sum(w) for w in chart["workers"]] == [10, 10, 0]
    paths = {value for tag, name, value in told.values if (tag, name) == ("path", "d")}
    # Ten of ten workers for the first half; in the third quarter six of them stand on four.
    assert "M0 240V0H500V240Z" in "".join(paths)
    assert all("H1000" not in path for path in paths), "a time when nobody looked is a gap"
    assert "nobody looked" in told.text


def test_more_versions_than_colours_share_one():
    counts = [VersionCount(at=NOW - timedelta(hours=30 - n), workers={f"v{n}": 5}) for n in range(20)]
    told = Read(page(made_up_report(counts=tuple(counts))))
    chart = json.loads(told.blocks["chart-data"])
    assert chart["names"][-1] == "other versions"
    assert chart["names"][0] == "v19"
    assert [sum(w) for w in chart["workers"]] == [5] * len(chart["workers"])


def test_one_look_is_no_course_of_time():
    one = (VersionCount(at=NOW, workers={"v1": 3}),)
    assert "Versions over time" not in Read(page(made_up_report(counts=one))).text
    assert "Versions over time" not in Read(page(made_up_report(counts=()))).text


def test_each_group_has_a_line_with_its_last_release():
    told = Read(page(made_up_report(12, 4, behind=0))).text
    line = "video-transcode 3 v42 ✓ verified v42 2026-11-21 23:12Z 50s"
    assert line in told


def test_releases_are_listed_with_versions_verdict_and_who(made_up):
    part = made_up.text.rpartition("Releases")[2]
    assert "r-20261120T011200-7f3a9c v40 → v41 ✓ verified 50 5m12s release maria" in part


def test_a_fleet_without_releases_and_history_is_a_page_too():
    told = Read(page(made_up_report(releases=(), runs=(), counts=()))).text
    for part in ("Last release:", "The last releases", "Versions over time", "Releases"):
        assert part not in told


# That it loads nothing, and lets nothing run.


def test_it_names_no_address_but_those_within_it(made_up):
    for tag, name, value in made_up.values:
        if name in ("src", "href", "action", "data", "poster", "srcset"):
            assert value.startswith(("#", "data:image/svg+xml,")), (tag, name, value)
    assert "url(" not in made_up.blocks["style"]
    assert "@import" not in made_up.blocks["style"]
    for call in ("fetch(", "XMLHttpRequest", "import(", "sendBeacon", "WebSocket", "innerHTML", "eval("):
        assert call not in made_up.blocks["script"]


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(made_up):
    (policy,) = [
        v for tag, name, v in made_up.values if tag == "meta" and name == "content" and "default-src" in v
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind, block in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(made_up.blocks[block].encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy


def test_nothing_needs_what_the_policy_forbids(made_up):
    forbidden = [name for _, name, _ in made_up.values if name == "style" or name.startswith("on")]
    assert forbidden == []


# That nothing told in it can become markup.

HOSTILE = st.text(
    alphabet=st.characters() | st.sampled_from("<>&\"'/=`!-\x00\x1b\x9b\u2028\u2029\u202e "),
    min_size=1,
    max_size=40,
) | st.sampled_from(
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>",
        '" onmouseover="alert(1)',
        "' onfocus=alert(1) autofocus x='",
        "javascript:alert(1)",
        "<img src=x onerror=alert(1)>",
        "</style><svg onload=alert(1)>",
        "{{7*7}}",
        "\\u003cb\\u003e",
    ]
)


def hostile(value, draw):
    """The same report, with every text in it that comes from outside replaced by one that is drawn."""
    match value:
        case Enum() | bool() | int() | float() | datetime() | timedelta() | None:
            return value
        case str():
            return draw(value)
        case tuple():
            return tuple(hostile(each, draw) for each in value)
        case frozenset():
            return frozenset(hostile(each, draw) for each in value)
        case dict():
            return {hostile(k, draw): hostile(v, draw) for k, v in value.items()}
        case _ if is_dataclass(value):
            return replace(value, **{f.name: hostile(getattr(value, f.name), draw) for f in fields(value)})
        case other:
            return other


SMALL = made_up_report(6, 3, behind=5, unread=("a reason",))


@examples(suite=40, soak=1_500)
@given(st.data())
def test_hostile_names_messages_and_logs_change_no_element_of_the_page(data):
    """Each text is replaced by another, the same one each time: then only texts may differ, and no element."""
    drawn: dict[str, str] = {}
    harmless: dict[str, str] = {}

    def draw(said):
        # Each is made unlike the others, so that what was told apart still is.
        return drawn.setdefault(said, f"{data.draw(HOSTILE)}{len(drawn):02}")

    def name(said):
        return harmless.setdefault(said, f"x{len(harmless):02}")

    evil, good = Read(page(hostile(SMALL, draw))), Read(page(hostile(SMALL, name)))
    assert sorted(evil.shape) == sorted(good.shape)
    assert len(evil.shape) == len(good.shape)
    assert evil.blocks["script"] == good.blocks["script"]
    assert evil.blocks["style"] == good.blocks["style"]
    shown = set(evil.data["s"]) | {row[0] for row in evil.data["rows"]}
    for each in SMALL.found.workers:
        assert sanitize(draw(each.instance_id)) in shown
    assert all(c.isprintable() or c == "\0" for s in shown for c in s)


def test_a_past_release_that_could_not_be_read_is_left_out_of_the_list():
    gone = ReleaseSummary(release_id="r-x", record=None, unreadable="torn")
    assert "r-x" not in Read(page(made_up_report(releases=(gone,), runs=()))).text
