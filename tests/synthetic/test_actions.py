from graphmotion.synthetic.actions import ACTIONS
from graphmotion.synthetic.actor import CURVES


def test_poses_and_oscillations_have_known_curves_and_ordered_times():
    assert len(ACTIONS) == 13
    for action in ACTIONS.values():
        times = list(action.poses)
        assert times == sorted(times)
        assert (times[0], times[-1]) == (0, 1)
        assert all(set(pose) <= set(CURVES) for pose in action.poses.values())
        assert set(action.oscillations) <= set(CURVES)
        assert bool(action.oscillations) == (action.rate > 0) == (action.seconds is None)
