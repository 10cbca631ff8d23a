"""`bench plan` of a sweep with many points."""

import pytest
from command import bench

SUITE = """[suite]
name = "mine"
dataset = "digits"
[variants.a]
[sweeps.s]
base = "a"
[sweeps.s.random]
points = 7
[sweeps.s.random.fields]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
batch_size = [16, 32]
"""


@pytest.fixture
def plan(bench_home, tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE)
    return lambda *words: bench("plan", "--suite", "mine.toml", *words, cwd=tmp_path)


def test_a_random_point_says_what_was_drawn(plan):
    rows = plan("--variant", "s").stdout.splitlines()[1:]
    assert rows[0].startswith("s=1 (learning_rate 0.04196, batch_size 16)")
    assert [row.split()[0] for row in rows] == [f"s={number}" for number in range(1, 8)]


def test_of_many_jobs_the_seeds_of_a_variant_share_a_line(plan):
    few, many = (plan("--all", "--seeds", str(seeds)) for seeds in (5, 6))
    assert len(few.stdout.splitlines()) == 1 + 8 * 5
    assert [row.split()[0] for row in many.stdout.splitlines()[1:]] == ["a", *(f"s={number}" for number in range(1, 8))]
    assert {row.partition("42-47")[1] for row in many.stdout.splitlines()[1:]} == {"42-47"}
    assert "48 jobs: 48 new" in many.stderr


def test_seeds_that_are_no_range_are_listed(plan):
    words = [word for seed in (3, 1, 2, 7, 50, 51) for word in ("--seed", str(seed))]
    assert "  1-3, 7, 50-51  " in plan("--all", *words).stdout.splitlines()[1]


def test_variants_and_sweeps_have_their_own_seeds(bench_home, tmp_path):
    text = SUITE.replace('base = "a"', 'base = "a"\nseeds = [5]').replace(
        "[variants.a]", "[variants.a]\nseeds = [1, 2]"
    )
    (tmp_path / "mine.toml").write_text(text)
    rows = bench("plan", "--all", "--suite", "mine.toml", cwd=tmp_path).stdout.splitlines()[1:]
    assert len(rows) == 2 + 7
    assert bench("plan", "--all", "--suite", "mine.toml", "--seeds", "1", cwd=tmp_path).stderr.startswith("8 jobs")


def test_a_command_that_goes_beyond_a_budget_or_leaves_nothing_out_says_so(bench_home, tmp_path):
    more = 'base = "a"\nbudget = { epochs = 350 }\nleave_out = [{ batch_size = 64 }]'
    (tmp_path / "mine.toml").write_text(SUITE.replace('base = "a"', more))
    said = bench("plan", "--all", "--suite", "mine.toml", "--seeds", "2", cwd=tmp_path).stderr
    assert "mine.toml: [sweeps.s] leave_out 1 matches none of the draws\n" in said
    assert "[sweeps.s]: 700 epochs, more than its budget of 350.\n" in said
    assert "budget" not in bench("plan", "--all", "--suite", "mine.toml", cwd=tmp_path).stderr
