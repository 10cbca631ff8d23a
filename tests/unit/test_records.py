"""Records that rooms hand to each other."""

from db.records import dotted


def test_nested_values_have_dotted_names_and_empty_ones_are_none():
    nested = {"a": 1, "b": {"c": {"d": False}, "e": {}}, "f": [{"name": "flip"}, 2], "g": (), "h": None}
    names = {"a": 1, "b.c.d": False, "b.e": None, "f.0.name": "flip", "f.1": 2, "g": None, "h": None}
    assert dotted(nested) == names
