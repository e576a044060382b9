"""What is no usable document is told with its place; what is one is read by YAML 1.2's rules."""

import pytest

from server.config import ConfigError, load
from server.config.yaml_tree import read_tree


def read(text):
    faults = []
    tree = read_tree(text, faults)
    return (tree.plain() if tree else None), faults


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        pytest.param(b"", 1, "empty", id="empty"),
        pytest.param(b"# only a comment\n", 1, "empty", id="only a comment"),
        pytest.param(b"- a\n- b\n", 1, "mapping", id="a list"),
        pytest.param(b"word", 1, "mapping", id="a word"),
        pytest.param(b"a: 1\nb: [1, 2\nc: 3\n", 3, "not valid YAML", id="an open bracket"),
        pytest.param(b"a: 1\n\tb: 2\n", 2, "not valid YAML", id="a tab"),
        pytest.param(b"a: 1\n---\nb: 2\n", 2, "single document", id="two documents"),
        pytest.param(b"a: 1\nb: \xff\n", 2, "UTF-8", id="not UTF-8"),
        pytest.param(b"a: 1\nb: \x07\n", 2, "control character", id="a control character"),
        pytest.param(b'a: "\\U00110000"\n', 1, "out of range", id="an escape out of range"),
        pytest.param(b'a: "\\ud800"\n', 1, "surrogate", id="half a character"),
        pytest.param(b"a: " + b"[" * 5000, 1, "nested deeper", id="too deep"),
        pytest.param(b"app: {name: !!python/name:os.system x}\n", 1, "tag", id="a tag of Python"),
        pytest.param(b"app: !thing {name: x}\n", 1, "tag", id="a tag of its own"),
        pytest.param(b"a: 1\n2: b\n", 2, "quotes", id="a number as key"),
        pytest.param(b"a: &a [*a]\n", 1, "inside what it names", id="an alias to itself"),
        pytest.param(b"port: " + b"9" * 5000, 1, "not a YAML int", id="a number of 5000 digits"),
        pytest.param(b"server:\n  port: 1\n  port: 2\n", 3, "twice; the first is on line 2", id="a key twice"),
        pytest.param(b"#" * (1 << 20) + b"#", None, "larger than", id="too large"),
    ],
)
def test_an_unusable_document_is_told_with_its_line(content, line, said, tmp_path, kinds):
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {}, kinds)
    assert any(fault.line == line and said in fault.message for fault in caught.value.faults)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["absent.yaml", ".", "nul\0.yaml"], ids=["absent", "a folder", "an impossible name"])
def test_an_unreadable_file_is_told(name, tmp_path, kinds):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / name, {}, kinds)


def test_aliases_that_grow_without_end_are_refused():
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    _, faults = read("l0: &l0 [x, x]\n" + layers)
    assert ["aliases followed" in fault.message for fault in faults] == [True]


def test_scalars_follow_the_core_schema_of_yaml_1_2():
    tree, faults = read("{a: off, b: 2024-10-21, c: 010, d: true, e: ~, f: 1.5, g: 1_000, h: 12:30, i: 0x1F, j: '1', k: }")
    assert not faults
    assert tree == {
        "a": "off",
        "b": "2024-10-21",
        "c": 10,
        "d": True,
        "e": None,
        "f": 1.5,
        "g": "1_000",
        "h": "12:30",
        "i": 31,
        "j": "1",
        "k": None,
    }


def test_merge_keys_give_what_is_not_given():
    tree, faults = read("base: &base {a: 1, b: 2}\nown:\n  <<: *base\n  b: 3\nboth:\n  <<: [{c: 1}, {c: 2, d: 4}]\n")
    assert not faults
    assert tree["own"] == {"a": 1, "b": 3}
    assert tree["both"] == {"c": 1, "d": 4}


def test_a_byte_order_mark_is_skipped(tmp_path, kinds):
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbfport: 8080\n")
    assert load(file, {}, kinds).settings.server.port == 8080


def test_every_node_knows_its_place():
    tree = read_tree("app:\n  name: x\nlist:\n  - {a: 1}\n", [])
    node = tree.entries["list"].elements[0].entries["a"]
    assert (node.path, node.key_place.line, node.key_place.column, node.place.column) == (("list", 0, "a"), 4, 6, 9)
