"""A pair that leaves the grid leaves the leaderboard, and keeps its files."""

from builders import GRID, run_grid

from mmplat.leaderboard import connect, ranking
from mmplat.store import publish


def test_a_suite_that_left_the_grid_leaves_the_leaderboard(results):
    run_grid(GRID.replace("[world-objects]", "[world-objects, world-facts]"), results)
    publish(results, "test")
    run_grid(GRID, results)
    publish(results, "test")
    connection = connect(results)
    assert set(ranking(connection, "test")["suite"]) == {"world-objects"}
    connection.close()
    assert (results.decided("test", "fake", "world-facts") / "decided.json").exists()
