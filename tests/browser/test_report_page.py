"""The report in a real browser: shown, sorted, filtered, copied, printed and without JavaScript."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deployctl.model.cause import Category
from deployctl.report.formatting import sanitize
from tests.fakes.fleet_reports import found, group_name, made_up_report, troubled, worker

SMALL = made_up_report()
BEHIND = [w for w in SMALL.found.workers if w.category.is_drift]
TEN_THOUSAND = (10_000, 500)
AT_ONCE_MS = 200


def shown(page, column="instance"):
    """What stands in this column of the table of workers."""
    return page.texts(f"#workers-body .c-{column}")


def said(page):
    return page.texts("#shown")[0]


def search(page, words):
    page.press("/")
    page.type(words)


def test_the_page_opens_with_drifted_workers_longest_behind_first(opened):
    page = opened(SMALL)
    longest = sorted(BEHIND, key=lambda w: (-w.minutes_behind, w.group, w.instance_id))
    assert shown(page) == [w.instance_id for w in longest]
    assert said(page) == f"{len(BEHIND)} of 300 workers"


def test_a_fleet_without_drift_shows_every_worker(opened):
    page = opened(made_up_report(12, 4, behind=0))
    assert said(page) == "12 of 12 workers"
    assert len(shown(page)) == 12


def test_a_key_focuses_the_filter_and_words_match_in_any_order(opened):
    page = opened(SMALL)
    search(page, "DATABASE video")
    wanted = [w for w in BEHIND if "database" in (w.evidence or "") and "video" in w.group]
    assert set(shown(page)) == {w.instance_id for w in wanted}
    search(page, "no-such-thing")
    assert page.texts("#workers-body") == ["No worker matches."]
    page.press("Escape")
    assert said(page) == f"{len(BEHIND)} of 300 workers"


def test_a_click_on_a_head_sorts_its_column_in_both_directions(opened):
    page = opened(SMALL)
    page.click("[data-sort=behind]")
    assert page.ask("document.querySelector('th.c-behind').ariaSort") == "descending"
    page.click("[data-sort=group]")
    assert shown(page, "group") == sorted(w.group for w in BEHIND)
    page.click("[data-sort=group]")
    assert shown(page, "group") == sorted((w.group for w in BEHIND), reverse=True)
    heads = page.ask("[...document.querySelectorAll('#workers th')].map((th) => th.ariaSort)")
    assert sorted(heads) == ["descending", *["none"] * 5]


def test_numbers_within_names_sort_as_numbers(opened):
    page = opened(made_up_report(found=found(*(worker(f"i-{n}", f"group-{n}") for n in (10, 9, 100, 1)))))
    page.click("[data-sort=group]")
    assert shown(page, "group") == ["group-1", "group-9", "group-10", "group-100"]


def test_a_click_selects_a_category_and_a_second_adds_another(opened):
    page = opened(SMALL)
    page.click(".chip[data-category=stale]")
    assert set(shown(page, "category")) == {"✗stale"}
    page.click(".chip[data-category=deploying]")
    assert {c[1:] for c in shown(page, "category")} == {"stale", "deploying"}
    pressed = page.ask(
        "[...document.querySelectorAll('.chip[aria-pressed=true]')].map((c) => c.dataset.category)"
    )
    assert sorted(pressed) == ["deploying", "stale"]
    page.click("#everything")
    assert said(page) == "300 of 300 workers"


def test_a_groups_name_leads_to_its_workers(opened):
    page = opened(SMALL)
    page.click(f"#groups a[data-group={group_name(3)}]")
    assert set(shown(page, "group")) == {group_name(3)}
    assert said(page) == "6 of 300 workers"


def test_a_remedy_is_copied_whole_with_its_note(browser, opened):
    page = opened(SMALL)
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.call("Page.bringToFront")
    page.click("#remedies .copy")
    assert page.ask("navigator.clipboard.readText()") == page.ask(
        "document.querySelector('#remedies code').textContent"
    )
    search(page, "agent-silent")
    page.click("#workers-body .copy")
    wanted = next(w for w in SMALL.found.workers if w.instance_id == shown(page)[0])
    assert page.ask("navigator.clipboard.readText()") == wanted.remedy
    assert "# the Auto Scaling group launches a replacement" in wanted.remedy
    assert page.texts("#workers-body .copy")[0] == "Copied"


def test_a_remedy_is_copied_without_the_clipboard_api(browser, opened):
    page = opened(SMALL)
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.call("Page.bringToFront")
    page.ask("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    page.click("#workers-body .copy")
    page.ask("new Promise((done) => setTimeout(done, 50))")
    first = next(w for w in SMALL.found.workers if w.instance_id == shown(page)[0])
    assert page.ask("navigator.clipboard.readText()") == first.remedy


def test_everything_works_with_the_keyboard_alone(opened):
    page = opened(made_up_report(30, 5, behind=6))
    page.press("Tab")
    assert page.ask("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.press("Tab")
        reached.add(
            page.ask("(n => n.id || n.dataset.sort || n.getAttribute('class'))(document.activeElement)")
        )
    assert {"filter", "everything", "instance", "behind", "copy"} <= reached
    page.ask("document.querySelector('[data-sort=instance]').focus()")
    page.press("Enter")
    assert page.ask("document.querySelector('th.c-instance').ariaSort") == "ascending"


def test_the_address_keeps_filter_and_order(opened):
    page = opened(SMALL)
    page.click("#everything")
    page.type("video")
    page.click("[data-sort=instance]")
    again = opened(SMALL, fragment=page.ask("location.hash"))
    assert shown(again) == shown(page)
    assert again.ask("document.querySelector('#filter').value") == "video"


def test_a_hostile_address_does_no_harm(opened):
    page = opened(SMALL, fragment="#q=%3Cimg%20src%3Dx%3E&c=constructor,__proto__&sort=-toString")
    assert page.texts("#workers-body") == ["No worker matches."]


def test_the_chart_shows_the_figures_at_the_pointer_and_by_the_arrow_keys(opened):
    page = opened(SMALL)
    page.ask("document.querySelector('.plot').scrollIntoView({block: 'center', behavior: 'instant'})")
    box = page.ask(
        "(({x, y, width, height}) => ({x, y, width, height}))"
        "(document.querySelector('.plot').getBoundingClientRect())"
    )
    page.move_to(box["x"] + box["width"] * 0.1, box["y"] + 20)
    assert page.texts("#hovered")[0].endswith("v38: 300")
    page.move_to(box["x"] + box["width"] * 0.56, box["y"] + 20)
    assert page.texts("#hovered")[0].endswith("no snapshot")
    page.ask("document.querySelector('.plot').focus()")
    for _ in range(40):
        page.press("ArrowLeft")
    assert page.texts("#hovered")[0].startswith("2026-11-15 03:12Z")


def test_the_page_shows_the_current_age_of_the_snapshot(opened):
    page = opened(SMALL)
    assert page.ask("document.querySelector('#age').textContent").endswith(" ago")
    assert "before this page was written" not in page.texts(".snapshot")[0]


# Ten thousand workers.


@pytest.fixture(scope="module")
def huge():
    return made_up_report(*TEN_THOUSAND, behind=1_500)


TIMED = """(async () => {
  const field = document.querySelector('#filter');
  const once = async (act) => {
    const began = performance.now();
    act();
    document.body.offsetHeight;
    return performance.now() - began;
  };
  document.querySelector('#everything').click();
  const found = {};
  for (const words of ['v', 'vi', 'video', 'database', 'i-0a', 'no-such-thing', '']) {
    found[words || 'nothing'] = await once(() => {
      field.value = words;
      field.dispatchEvent(new Event('input', {bubbles: true}));
    });
  }
  for (const column of ['instance', 'group', 'why', 'behind']) {
    found[`by ${column}`] = await once(() => document.querySelector(`[data-sort=${column}]`).click());
  }
  return found;
})()"""


def test_ten_thousand_workers_are_filtered_and_sorted_at_once(opened, huge, figures):
    page = opened(huge)
    best = page.ask(TIMED)
    # The machine may be busy with other things: the best of several runs is what the page costs.
    for _ in range(4):
        best = {what: min(ms, best[what]) for what, ms in page.ask(TIMED).items()}
    figures("report of 10,000 workers, ms: " + ", ".join(f"{w} {ms:.0f}" for w, ms in best.items()))
    assert max(best.values()) < AT_ONCE_MS
    assert page.ask("document.querySelectorAll('#workers-body tr').length") < 1_000


def test_scrolling_and_a_button_add_rows(opened, huge):
    page = opened(huge)
    page.ask("document.querySelector('#more').click()")
    assert page.ask("document.querySelectorAll('#workers-body tr').length") >= 200
    page.ask(
        "document.querySelector('#rest').scrollIntoView({behavior: 'instant'}),"
        "new Promise((done) => setTimeout(done, 300))"
    )
    assert page.ask("document.querySelectorAll('#workers-body tr').length") >= 300


# Wherever it is looked at.


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1280, 1920])
def test_the_page_fits_any_width_with_enough_contrast(opened, width, dark):
    page = opened(SMALL, width=width, dark=dark)
    assert page.ask("document.documentElement.scrollWidth") <= width
    for selector in ("h1", ".evidence", ".muted", "td .badge.bad", "td .badge.good", ".note", "a"):
        assert contrast(page, selector) >= 4.5, selector


CONTRAST = """(() => {
  const node = document.querySelector(%s);
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((c) => {
      const s = c / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let under = node;
  while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
  const [a, b] = [luminance(getComputedStyle(node).color), luminance(getComputedStyle(under).backgroundColor)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
})()"""


def contrast(page, selector):
    """Of the words against what they stand on. Source: WCAG 2.2, contrast ratio."""
    return page.ask(CONTRAST % json.dumps(selector))


def test_print_hides_controls_and_has_every_filtered_row(opened):
    page = opened(made_up_report(600, 50, behind=250), dark=True)
    rows = len(shown(page))
    page.call("Emulation.setEmulatedMedia", media="print")
    page.ask("dispatchEvent(new Event('beforeprint'))")
    drift = sum(w.category.is_drift for w in made_up_report(600, 50, behind=250).found.workers)
    assert len(shown(page)) == drift > rows
    assert page.texts(".copy, #controls, #more") == []
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.call("Emulation.setEmulatedMedia", media="")
    assert page.printed().startswith(b"%PDF")


def test_the_page_is_readable_without_javascript(opened):
    page = opened(SMALL, script=False)
    worst = max(BEHIND, key=lambda w: w.minutes_behind)
    page.call("Emulation.setScriptExecutionDisabled", value=False)  # to look at it, not for the page
    assert shown(page)[0] == worst.instance_id
    assert page.texts("#controls, .copy") == []
    assert "need JavaScript" in page.texts("noscript")[0]


HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=//evil.example/x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "a\u202eb\x1b[31m\x00\u2028'`${alert(1)}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_table_address_and_clipboard(browser, opened, text):
    bad = replace(troubled(0, text, text), evidence=text, deployed_version=text, desired_version=f"{text}2")
    page = opened(made_up_report(found=found(bad, worker("i-2")), unread=(text,)))
    assert shown(page) == [sanitize(text)]
    assert shown(page, "group") == [sanitize(text)]
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.call("Page.bringToFront")
    page.click("#workers-body .copy")
    assert page.ask("navigator.clipboard.readText()") == sanitize(bad.remedy)
    page.ask(f"location.hash = '#q=' + encodeURIComponent({json.dumps(text)})")
    assert page.ask("document.scripts.length") == 3
    assert page.ask("document.images.length") == 0


def test_the_page_of_an_empty_fleet_opens(opened):
    page = opened(made_up_report(found=found(), releases=(), runs=(), counts=()))
    assert page.texts("h1") == ["·shop has no workers"]
    assert page.texts("#workers-body") == ["There are no workers."]


def test_every_category_has_a_mark_beside_its_colour(opened):
    page = opened(made_up_report(found=found(*(worker(f"i-{c}", category=c) for c in Category))))
    page.click("#everything")
    marks = {text[1:]: text[0] for text in shown(page, "category")}
    assert set(marks) == set(Category)
    assert set(marks.values()) == {"✓", "✗", "▶", "·"}
