"""Times as sensors write them."""

import pytest
from edgelstm.runtime.io.timestamps import is_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2020-03-09 10:14:33", 1583748873.0),
        ("2020-03-09T10:14:33Z", 1583748873.0),
        ("2020-03-09T12:14:33+02:00", 1583748873.0),
        ("2020-03-09 10:14:33.25", 1583748873.25),
        ("2020-03-09 10:14:33.123456789", 1583748873.123456),
        ("2020/03/09 10:14:33", 1583748873.0),
        ("09.03.2020 10:14:33", 1583748873.0),
        ("2020-03-09", 1583712000.0),
        ("1583748873", 1583748873.0),
        ("1583748873250", 1583748873.25),
        ("17", 17.0),
        (" -2.5e1 ", -25.0),
    ],
)
def test_every_usual_form_is_read(text, seconds):
    assert parse_time(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["", "noon", "2020-13-01", "12:61", "flow"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_time(text)


def test_a_plain_number_alone_does_not_make_a_time_column():
    assert not is_time("12.5")
    assert is_time("2020-03-09")
