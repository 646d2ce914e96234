import argparse

import pytest
from options import refuse_unused


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument('--num-steps', type=int, default=3)
    parser.add_argument('--fast', action='store_true')
    return parser


def test_an_unused_option_is_refused_also_with_its_default_value(parser, capsys):
    for argv in (['--num-steps', '3'], ['--num-steps=3'], ['--num', '3']):
        with pytest.raises(SystemExit):
            refuse_unused(parser, argv, [('--num-steps', False, 'stairs')])
        assert '--num-steps goes with stairs' in capsys.readouterr().err


def test_what_is_used_or_not_given_passes(parser):
    refuse_unused(parser, ['--fast'], [('--num-steps', False, 'stairs'), ('--fast', True, 'x')])
    refuse_unused(parser, [], [('--fast', False, 'stairs')])
