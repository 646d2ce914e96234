import pytest
import torch

from graphmotion.inference import Answer, Answers


def test_label_and_probability():
    answer = Answer.from_row(torch.tensor([0.25, 0.5, 0.25]), ['sad', 'happy', 'angry'])
    assert answer.label == 'happy'
    assert answer.probability == 0.5
    assert answer.probabilities == {'sad': 0.25, 'happy': 0.5, 'angry': 0.25}
    with pytest.raises(ValueError, match='zip'):
        Answer.from_row(torch.ones(2), ['a'])


def test_printing():
    answer = Answer({'sad': 0.1, 'happy': 0.9}, (3, 10), 1, 'walk.json')
    expected = 'walk.json, person 1, frames 3-9: happy 0.90, sad 0.10'
    assert str(answer) == expected
    assert repr(answer) == f'Answer({expected})'
    assert str(Answer({'sad': 0.1, 'happy': 0.9})) == 'happy 0.90, sad 0.10'
    many = Answer({f'c{i}': 0.1 for i in range(10)})
    assert str(many) == 'c0 0.10, c1 0.10, c2 0.10, c3 0.10, c4 0.10, and 5 more'
    answers = Answers([answer, answer])
    assert str(answers) == f'{expected}\n{expected}'
    assert repr(answers) == f'Answers(2)\n  {expected}\n  {expected}'
    assert repr(Answers([])) == 'Answers(0)'


def test_answers_are_a_sequence():
    parts = [Answer({'a': p, 'b': 1 - p}) for p in (0.2, 0.8, 0.9)]
    answers = Answers(parts)
    assert answers.labels == ['b', 'a', 'a']
    assert list(answers) == parts
    assert answers[-1] is parts[-1]
    assert answers[1:] == Answers(parts[1:])
    assert answers != Answers(parts[:2])
    assert answers != parts
    assert len({answers, Answers(parts)}) == 1
