"""Elements: text stays text, wherever it stands."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.report.formatting import sanitize
from deployctl.report.html.markup import Html, element, join, json_text, text

ANYTHING = st.text(alphabet=st.characters() | st.sampled_from("<>&\"'/=`\x00\x1b\u2028\u2029-!"), max_size=80)


class Read(HTMLParser):
    """What a browser's parser would see, as far as the standard library's does."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.said = [], []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.said.append(data)


def test_an_element_has_its_children_in_order():
    found = element(
        "p", "a & b", element("b", 1_204), None, ["c", ["d"]], class_="x", hidden=True, title=None
    )
    assert found == '<p class="x" hidden>a &amp; b<b>1,204</b>cd</p>'


def test_what_holds_nothing_is_not_closed():
    assert element("br") == "<br>"
    assert element("input", type="search") == '<input type="search">'


def test_names_of_attributes_have_dashes_and_numbers_no_grouping():
    assert element("rect", x=1_000.5, stroke_width=2) == '<rect x="1000.5" stroke-width="2"></rect>'


def test_markup_that_was_made_here_is_not_escaped_again():
    assert join([element("b", "<"), "<"]) == "<b>&lt;</b>&lt;"


@given(ANYTHING)
def test_a_text_is_read_back_as_the_text_that_it_was(said):
    read = Read(element("p", said, title=said))
    assert read.tags == [("p", [("title", sanitize(said))])]
    assert "".join(read.said) == sanitize(said)


@given(
    st.recursive(
        ANYTHING | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=8
    )
)
def test_json_in_a_script_is_read_back_and_cannot_end_the_script(value):
    shown = json_text(value)
    assert json.loads(shown) == value
    assert not set("<>&\u2028\u2029") & set(shown)


@pytest.mark.parametrize("said", ["\x1b[31mred\x1b[0m", "a\u202eb", "a\nb"])
def test_a_text_cannot_colour_turn_or_break_its_line(said):
    assert text(said).isprintable()


def test_only_what_is_html_passes_as_html():
    assert isinstance(element("b"), Html)
    assert join([str(element("b"))]) == "&lt;b&gt;&lt;/b&gt;"
