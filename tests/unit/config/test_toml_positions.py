import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.config.toml_positions import Position, positions

BARE = st.sampled_from(["a", "b", "c-d", "1", "e_f"])
QUOTED = st.sampled_from(['"a"', "'b'", '"x # y"', '"q\\"]"', "'[='", '"\\u00e9"', '""'])
KEYS = st.lists(BARE | QUOTED, min_size=1, max_size=3).map(" . ".join) | BARE
GAPS = st.sampled_from(["", " ", "\t", "\n", " # a ] comment }\n", "\r\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "0x1f",
        "true",
        "1e5",
        "nan",
        "1979-05-27 07:32:00",
        "07:32:00",
        '"a, b] # c"',
        "'\\'",
        '"\\""',
        '""',
        "''",
        '"""two\n"" quotes ]\n# no comment"""',
        '"""ends in two quotes"""""',
        '"""\\""""',
        "'''raw\\ ''\n'''",
        "''''one quote'''",
    ]
)


def arrays(values):
    items = st.lists(st.tuples(GAPS, values, GAPS), max_size=4)
    ends = st.sampled_from(["", ","])
    return st.tuples(items, ends).map(
        lambda t: "[" + ",".join("".join(i) for i in t[0]) + (t[1] if t[0] else "") + "]"
    )


def inline_tables(values):
    pairs = st.lists(st.tuples(KEYS, values), max_size=3)
    return pairs.map(lambda ps: "{ " + ", ".join(f"{k} = {v}" for k, v in ps) + " }")


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)
LINES = st.one_of(
    st.builds("{}{} = {} # end".format, st.sampled_from(["", "  "]), KEYS, VALUES),
    st.builds("[ {} ]".format, KEYS),
    st.builds("[[{}]] # tables".format, KEYS),
    st.just("# only = a comment"),
    st.just(""),
)


@st.composite
def toml_texts(draw):
    """Lines that tomllib takes one after the other; those that would clash with earlier ones are dropped."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = ""
    for line in draw(st.lists(LINES, max_size=12)):
        try:
            tomllib.loads(text + line)
        except tomllib.TOMLDecodeError:
            continue
        text += line + end
    return text


def paths_in(value, path=()):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield (*path, name)
        yield from paths_in(item, (*path, name))


@given(toml_texts())
def test_every_key_that_tomllib_reads_has_a_position_and_nothing_else_has(text):
    assert set(positions(text)) == set(paths_in(tomllib.loads(text)))


@given(toml_texts())
def test_a_position_points_at_the_key_as_it_is_written(text):
    lines = text.replace("\r\n", "\n").split("\n")
    for path, at in positions(text).items():
        if isinstance(path[-1], str):
            rest = lines[at.line - 1][at.column - 1 :]
            written = rest if rest[0] not in "\"'" else rest[: rest.index(rest[0], 1) + 1]
            assert rest.startswith(path[-1]) or written[0] in "\"'"


@pytest.mark.parametrize(
    ("text", "path", "line", "column"),
    [
        ('a = """\n# b = 1\n"""\nb = 2', ("b",), 4, 1),
        ("[t]\n  x = 1", ("t", "x"), 2, 3),
        ("[[g]]\nm=1\n[[g]]\nm=2", ("g", 1, "m"), 4, 1),
        ("[[g]]\n[g.sub]\nx=1\n[[g]]\n[g.sub]\nx=2", ("g", 1, "sub", "x"), 6, 1),
        ("g = [{m=1}, {m=2}]", ("g", 1, "m"), 1, 14),
        ("a.b.c = 1", ("a", "b", "c"), 1, 5),
        ('"e" = 1\n"é" = 2', ("é",), 2, 1),
        ("x = [\n  1, # one\n  2,\n]\ny = 0", ("x", 1), 3, 3),
        ("x = 1\r\ny = 2", ("y",), 2, 1),
        ("x = 1979-05-27 07:32:00 # when\ny = 0", ("y",), 2, 1),
    ],
)
def test_lines_and_columns_count_from_one(text, path, line, column):
    assert positions(text)[path] == Position(line, column)
