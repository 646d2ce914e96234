import pytest
import torch
from shared import common, recognition

from graphmotion.metrics import CASIA_B_LT
from graphmotion.training import RecognitionRecipe


def parse(argv):
    parser = common.make_parser('text')
    recognition.add_data_options(parser, ['casia_b', 'ou_mvlp'], subjects=40)
    args = parser.parse_args(argv)
    recognition.check_data_options(parser, argv, args)
    return args


def test_generated_subjects_are_split_as_in_casia_b():
    protocol = recognition.generated_protocol(parse([]))
    assert protocol.train_subjects == 24  # 74 of 124
    assert protocol.name == f'{CASIA_B_LT.name}, 24 of 40 subjects to train'
    assert recognition.generated_protocol(parse(['--subjects', '124'])) is CASIA_B_LT


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--subjects', '7', '--protocol', 'ST'], '--subjects 7 is too few for --protocol ST'),
        (['--dataset', 'casia_b', '--root', 'x', '--subjects', '9'], '--subjects is only valid'),
        (['--dataset', 'ou_mvlp', '--root', 'x', '--protocol', 'LT'], 'for CASIA-B and generated'),
    ],
)
def test_options_that_do_not_go_together(capsys, options, reason):
    with pytest.raises(SystemExit):
        parse(options)
    assert reason in capsys.readouterr().err


def test_batches_have_at_most_the_training_subjects():
    class Part:
        def labels(self, field):
            return torch.tensor([3, 3, 7, 9])

    assert recognition.limit_subjects(RecognitionRecipe(), Part()).subjects_per_batch == 3
    few = RecognitionRecipe(subjects_per_batch=2)
    assert recognition.limit_subjects(few, Part()) == few
