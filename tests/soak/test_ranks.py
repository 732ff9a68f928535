"""Guards training by several processes against one that is stopped: it ends, says so, and goes on."""

from tests.soak.ranks import ranks


def test_a_stopped_process_ends_training_within_half_a_minute_and_the_repeated_command_goes_on(tmp_path):
    with ranks(tmp_path) as (stopped, _):
        assert stopped.check(0) is None
