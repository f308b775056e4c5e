"""The whole page: its content, that it loads nothing, and that no text in it can become markup."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
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
from tests.fakes.foreign_text import with_foreign_text
from tests.fakes.lake_rows import finding_row

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


# Content.


def test_a_snapshot_older_than_the_last_release_is_no_all_clear():
    report = made_up_report(behind=0)
    newest = replace(report.releases[0].record, began_at=report.found.snapshot_at + timedelta(minutes=5))
    late = replace(report, releases=(replace(report.releases[0], record=newest), *report.releases[1:]))
    text = Read(page(late)).text
    assert "older than the last repair of v42" in text
    assert "deployctl reconcile" in text
    assert ("header", "class", "verdict busy") in Read(page(late)).values


def test_a_finding_of_a_group_is_on_the_page_with_its_command():
    report = made_up_report(behind=0)
    hostile = finding_row(evidence="<script>alert(1)</script>", group_name="video")
    text = Read(page(replace(report, found=replace(report.found, findings=(hostile,))))).text
    assert "launch-loop" in text
    assert "<script>alert(1)</script>" in text
    assert "deployctl rollback --to v1 --group video" in text


def test_the_last_snapshot_has_a_width_in_the_chart():
    report = made_up_report(behind=0)
    last = replace(report.counts[-1], at=report.written_at, workers={"v99": 300})
    markup = page(replace(report, counts=(*report.counts, last)))
    (place,) = [
        n for n, name in enumerate(json.loads(Read(markup).blocks["chart-data"])["names"]) if name == "v99"
    ]
    drawn = re.search(rf'<path d="M([\d.]+) [\d.]+V[\d.]+H([\d.]+)[^"]*" class="v-{place}"', markup)
    assert float(drawn[2]) - float(drawn[1]) > 10


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([worker("i-1"), worker("i-2", "mail")], "all is well: 2 workers of shop as desired, in 2 groups"),
        (
            [worker("i-1"), troubled(0, "i-2", "mail")],
            "1 of 2 workers of shop drifted, in 1 of 2 groups",
        ),
        (
            [worker("i-1"), worker("i-2", category=Category.DEPLOYING, cause=Cause.STILL_DEPLOYING)],
            "no drift; 1 of 2 workers of shop still deploying",
        ),
        (
            [
                worker(
                    "i-1", category=Category.NOT_MANAGED, cause=Cause.NO_DESIRED_VERSION, desired_version=None
                )
            ],
            "1 worker of shop is not managed by a release yet",
        ),
        ([], "shop has no workers"),
    ],
)
def test_the_first_sentence_says_whether_all_is_well(members, sentence):
    markup = page(made_up_report(found=found(*members)))
    assert re.search(r"<h1>.*?</h1>", markup)[0].endswith(f"{sentence}</h1>")
    assert f"<title>shop: {sentence}</title>" in markup


def test_the_page_shows_the_age_of_the_snapshot_at_writing(made_up):
    assert "Snapshot of 2026-11-22 03:10Z, 2m00s before this page was written" in made_up.text
    old = Read(page(made_up_report(written_at=NOW + timedelta(hours=3))))
    assert ("span", "class", "old") in old.values
    assert "3h02m before this page was written" in old.text


def test_the_header_shows_running_versions_and_the_last_release_and_repair(made_up):
    assert "Running: v42 on 286, v41 on 11, no version on 2" in made_up.text
    assert (
        "Last release: v42 by maria, 2026-11-21 22:12Z: ✗ failed"
        " Last repair: to v42 by maria, 2026-11-21 23:12Z: ✓ verified"
    ) in made_up.text


def test_the_header_names_the_kind_of_the_last_run():
    for kind in (ReleaseKind.ROLLBACK, ReleaseKind.REPAIR):
        past = record("v42", NOW - timedelta(hours=4), 3, Verdict.VERIFIED, kind=kind)
        shown = Read(
            page(made_up_report(releases=(ReleaseSummary(release_id=past.release_id, record=past),)))
        )
        assert f"Last {kind.value}: to v42 by maria, 2026-11-21 23:12Z: ✓ verified" in shown.text
        assert "Last release:" not in shown.text


def test_the_chart_marks_releases_and_rollbacks_but_no_repairs(made_up):
    assert "release to v42 began at 2026-11-21T22:12:00Z" in made_up.text
    assert "repair to v42 began" not in made_up.text


def test_the_chart_says_if_it_skipped_snapshots(made_up):
    assert "one snapshot every" not in made_up.text
    shown = Read(page(made_up_report(counts_every=timedelta(minutes=84))))
    assert "For days that are not compacted yet, the chart reads one snapshot every 1h24m" in shown.text


def test_the_header_lists_what_could_not_be_read():
    shown = Read(page(made_up_report(unread=("versions of days that are over: no such table",))))
    assert "Missing on this page: versions of days that are over: no such table" in shown.text


def test_each_remedy_appears_once_with_its_number_of_workers():
    again = "deployctl release v42 --existing --group mail --redeploy"
    shown = Read(page(made_up_report(found=found(*(troubled(4, f"i-{n}", "mail") for n in range(7))))))
    listed = shown.text.partition("Commands to run")[2].partition("Workers Filter")[0]
    assert listed.count(again) == 1
    assert "7 workers of mail: launched-with-older-revision" in listed


def test_remedies_beyond_a_dozen_are_counted():
    many = [troubled(3, f"i-{n:03}", "mail") for n in range(40)]
    shown = Read(page(made_up_report(found=found(*many))))
    assert shown.text.partition("Workers Filter")[0].count("aws ec2 create-tags") == workers.MOST_REMEDIES
    assert "And 28 other commands: the table has the command of each worker." in shown.text


def test_without_drift_the_page_has_no_commands():
    assert "Commands to run" not in Read(page(made_up_report(found=found(worker("i-1"))))).text


def test_the_data_has_every_worker_drifted_ones_first():
    fleet = made_up_report(workers=500, groups=20, behind=60).found.workers
    data = Read(page(made_up_report(found=found(*fleet)))).data
    rows = {row[0]: row for row in data["rows"]}
    assert set(rows) == {w.instance_id for w in fleet}
    drift = [data["categories"][row[2]][2] for row in data["rows"]]
    assert drift == sorted(drift, reverse=True)
    for each in fleet:
        _, group, category, cause, evidence, runs, desired, behind, remedy = rows[each.instance_id]
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


def test_without_javascript_the_page_shows_drifted_workers_with_their_remedies():
    shown = Read(page(made_up_report(workers=500, groups=20, behind=60)))
    rows = [value for tag, name, value in shown.values if (tag, name, value) == ("td", "class", "c-instance")]
    assert len(rows) == workers.FIRST_ROWS
    assert "Sorting, filtering and copying need JavaScript, and so do 400 more workers." in shown.text


def test_commands_are_never_cut_and_evidence_only_as_much_as_the_fleet_requires():
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
def test_a_page_of_ten_thousand_workers_is_small_enough_to_mail(behind, figures):
    size = len(page(made_up_report(10_000, 500, behind=behind)).encode())
    figures(f"report of 10,000 workers, {behind:,} of them behind: {size / 1e6:.2f} MB")
    assert size < MAILABLE_BYTES


def test_a_release_is_shown_group_by_group_failed_groups_first():
    newest = record("v42", NOW - timedelta(hours=1), 6, Verdict.FAILED)
    shown = Read(page(made_up_report(runs=(run(newest, failing=frozenset({5})),)))).text
    part = shown.partition("The last releases, group by group")[2].partition("Versions over time")[0]
    names = [part.index(g) for g in newest.groups]
    assert min(names) == names[5]
    assert "5 verified, 1 failed" in part
    failure = "failed at 02:13:49Z: ValidateService: ScriptFailed in deploy/hooks/validate_service.sh"
    assert f"i-00050000000000000 {failure}" in part


def test_a_groups_duration_counts_from_its_own_start():
    newest = record("v42", NOW - timedelta(hours=1), 1, Verdict.VERIFIED)
    assert "50s 6 verified" in Read(page(made_up_report(runs=(run(newest),)))).text


def test_the_bars_of_a_release_in_progress_end_now():
    began = NOW - timedelta(minutes=10)
    going = record("v43", began, 2, None, took_s=0)
    current = run(going, in_progress=True)
    first = replace(
        current.groups[0], verdict=None, began_at=began + timedelta(minutes=5), ended_at=None, workers=()
    )
    second = replace(current.groups[1], verdict=None, began_at=None, ended_at=None, workers=())
    read = Read(page(made_up_report(runs=(replace(current, groups=(first, second)),))))
    bars = {(n, v) for tag, n, v in read.values if tag == "rect" and n in ("x", "width")}
    assert {("x", "500"), ("width", "500")} <= bars
    assert "in progress" in read.text
    assert "not started" in read.text


def test_many_groups_without_failures_are_folded():
    newest = record("v42", NOW - timedelta(hours=1), 100, Verdict.VERIFIED)
    shown = Read(page(made_up_report(100, 100, behind=0, runs=(run(newest),)))).text
    assert f"{100 - timeline.MOST_QUIET} more groups in which nothing failed" in shown


def test_the_failed_release_is_unfolded_though_a_repair_followed(made_up):
    markup = page(made_up_report())
    opened = re.findall(r'<details( open)? class="release">', markup)
    assert opened == [" open", " open", "", "", ""]


def test_chart_and_table_show_the_same_versions_over_time():
    counts = (
        VersionCount(at=NOW - timedelta(hours=4), workers={"v1": 10}),
        VersionCount(at=NOW - timedelta(hours=2), workers={"v1": 4, "v2": 5, None: 1}),
        VersionCount(at=NOW - timedelta(hours=1), workers={}),
    )
    seen_at = NOW
    shown = Read(
        page(made_up_report(counts=counts, found=found(worker("i-1"), snapshot_at=seen_at), releases=()))
    )
    chart = json.loads(shown.blocks["chart-data"])
    assert chart["names"] == ["v1", "v2", "no version"] or chart["names"] == ["v2", "v1", "no version"]
    assert [sum(w) for w in chart["workers"]] == [10, 10, 0]
    paths = {value for tag, name, value in shown.values if (tag, name) == ("path", "d")}
    # Ten of ten workers for the first half; in the third quarter six of them stand on four.
    assert "M0 240V0H500V240Z" in "".join(paths)
    assert all("H1000" not in path for path in paths), "a time without snapshots is a gap"
    assert "no snapshot" in shown.text


def test_more_versions_than_colours_share_one():
    counts = [VersionCount(at=NOW - timedelta(hours=30 - n), workers={f"v{n}": 5}) for n in range(20)]
    shown = Read(page(made_up_report(counts=tuple(counts))))
    chart = json.loads(shown.blocks["chart-data"])
    assert chart["names"][-1] == "other versions"
    assert chart["names"][0] == "v19"
    assert [sum(w) for w in chart["workers"]] == [5] * len(chart["workers"])


def test_one_snapshot_draws_no_chart():
    one = (VersionCount(at=NOW, workers={"v1": 3}),)
    assert "Versions over time" not in Read(page(made_up_report(counts=one))).text
    assert "Versions over time" not in Read(page(made_up_report(counts=()))).text


def test_each_group_has_a_line_with_its_last_release():
    shown = Read(page(made_up_report(12, 4, behind=0))).text
    line = "video-transcode 3 v42 ✓ verified v42 2026-11-21 23:12Z 50s"
    assert line in shown


def test_releases_are_listed_with_versions_verdict_and_actor(made_up):
    part = made_up.text.rpartition("Releases")[2]
    assert "r-20261120T011200-7f3a9c v40 → v41 ✓ verified 50 5m12s release maria" in part


def test_the_page_works_without_releases_and_history():
    shown = Read(page(made_up_report(releases=(), runs=(), counts=()))).text
    for part in ("Last release:", "The last releases", "Versions over time", "Releases"):
        assert part not in shown


# The page loads nothing and runs no foreign script.


def test_the_page_refers_to_no_other_address(made_up):
    for tag, name, value in made_up.values:
        if name in ("src", "href", "action", "data", "poster", "srcset"):
            assert value.startswith(("#", "data:image/svg+xml,")), (tag, name, value)
    assert "url(" not in made_up.blocks["style"]
    assert "@import" not in made_up.blocks["style"]
    for call in ("fetch(", "XMLHttpRequest", "import(", "sendBeacon", "WebSocket", "innerHTML", "eval("):
        assert call not in made_up.blocks["script"]


def test_the_policy_allows_only_the_pages_style_and_script(made_up):
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


# No text can become markup.

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


SMALL = made_up_report(6, 3, behind=5, unread=("a reason",))


@examples(suite=40, soak=1_500)
@given(st.data())
def test_hostile_names_messages_and_logs_change_no_element_of_the_page(data):
    """Each text is replaced by another, the same one each time: then only texts may differ, and no element."""
    drawn: dict[str, str] = {}
    harmless: dict[str, str] = {}

    def draw(said):
        # A unique suffix keeps different texts different.
        return drawn.setdefault(said, f"{data.draw(HOSTILE)}{len(drawn):02}")

    def name(said):
        return harmless.setdefault(said, f"x{len(harmless):02}")

    evil, good = Read(page(with_foreign_text(SMALL, draw))), Read(page(with_foreign_text(SMALL, name)))
    assert sorted(evil.shape) == sorted(good.shape)
    assert len(evil.shape) == len(good.shape)
    assert evil.blocks["script"] == good.blocks["script"]
    assert evil.blocks["style"] == good.blocks["style"]
    shown = set(evil.data["s"]) | {row[0] for row in evil.data["rows"]}
    for each in SMALL.found.workers:
        assert sanitize(draw(each.instance_id)) in shown
    assert all(c.isprintable() or c == "\0" for s in shown for c in s)


def test_an_unreadable_release_is_not_listed():
    gone = ReleaseSummary(release_id="r-x", record=None, unreadable="torn")
    assert "r-x" not in Read(page(made_up_report(releases=(gone,), runs=()))).text
