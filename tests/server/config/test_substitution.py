"""References to the environment are replaced; what is not set is told."""

import pytest

ENV = {"HOST": "10.0.0.1", "PORT": "9000", "EMPTY": "", "TWICE": "${HOST}"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("${HOST}", "10.0.0.1"),
        ("at ${HOST}:${PORT}", "at 10.0.0.1:9000"),
        ("${ABSENT:-spare}", "spare"),
        ("${EMPTY:-spare}", "spare"),
        ("${HOST:-spare}", "10.0.0.1"),
        ("$${HOST}", "${HOST}"),
        ("$HOST costs 5$", "$HOST costs 5$"),
        ("${TWICE}", "${HOST}"),
    ],
)
def test_a_reference_is_replaced(given, name, load_text):
    assert load_text(f"app: {{name: '{given}'}}", ENV).settings.app.name == name


def test_a_number_may_come_from_the_environment(load_text):
    assert load_text("port: ${PORT}", ENV).settings.server.port == 9000


def test_a_variable_that_is_not_set_is_a_fault(fail_text):
    faults = fail_text("port: 1\nhost: ${ABSENT}").faults
    assert [(fault.path, fault.line) for fault in faults] == [("host", 2)]
    assert "`ABSENT` is not set" in faults[0].message


@pytest.mark.parametrize("given", ["${", "${}", "${a b}", "${HOST", "${HOST:+x}"])
def test_a_reference_that_is_none_is_a_fault(given, fail_text):
    assert "needs a name" in fail_text(f"host: '{given}'", ENV).faults[0].message
