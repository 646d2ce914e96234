import torch

from graphmotion.inference import Identification, Verification


def test_answers_print_one_sample_per_line():
    distance = torch.tensor([[0.1, 0.6], [0.5, 0.7]])
    found = Identification([('anna', 'ben'), ('ben', 'anna')], distance, threshold=0.4)
    lines = ['anna (anna 0.100, ben 0.600)', 'unknown (ben 0.500, anna 0.700)']
    assert str(found) == '\n'.join(lines)
    assert repr(found) == '\n'.join(['Identification(2)', *(f'  {line}' for line in lines)])
    checked = Verification('anna', distance[:1, 0], threshold=0.4)
    line = 'anna: accepted (distance 0.100, threshold 0.400)'
    assert str(checked) == line
    assert repr(checked) == f'Verification(1)\n  {line}'
