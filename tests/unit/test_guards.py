"""guards.toml follows the code: what it cuts away is there, what is left compiles, and every fault has its guards."""

import ast
import re

import guards
import pytest

GUARDS = guards.load_guards()


@pytest.mark.parametrize("guard", GUARDS, ids=[guard["guard"] for guard in GUARDS])
def test_a_guard_can_be_removed_and_leaves_a_program(guard):
    for file in {cut["file"] for cut in guards.cuts(guard)}:
        text = (guards.ROOT / file).read_text()
        for cut in guards.cuts(guard):
            text = guards.without(text, cut) if cut["file"] == file else text
        compile(text, file, "exec")


@pytest.mark.parametrize("node", sorted({guard["test"] for guard in GUARDS}))
def test_the_test_of_a_guard_is_there(node):
    file, name, which = re.fullmatch(r"(.+)::(\w+)(?:\[(.+)\])?", node).groups()
    functions = [one for one in ast.parse((guards.ROOT / file).read_text()).body if isinstance(one, ast.FunctionDef)]
    (function,) = [one for one in functions if one.name == name]
    assert not which or function.decorator_list or function.args.args


def test_every_fault_that_the_docs_name_has_a_guard_and_no_other():
    table = (guards.ROOT / "docs" / "reliability.md").read_text().partition("| fault | test |")[2].partition("\n\n")[0]
    faults = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]}
    assert {guard["fault"] for guard in GUARDS} == faults
