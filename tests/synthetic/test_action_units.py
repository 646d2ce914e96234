import pytest
import torch

from graphmotion.synthetic.action_units import (
    ACTION_UNITS,
    EXPRESSION_VARIANTS,
    EXPRESSIONS,
    unit_intensities,
)


def test_expressions_have_known_units():
    assert set(EXPRESSION_VARIANTS) == set(EXPRESSIONS)
    assert 'neutral' in EXPRESSIONS
    for name, units in EXPRESSIONS.items():
        assert all(0 < value <= 1 for value in units.values())
        assert not set(units) & set(EXPRESSION_VARIANTS[name])
        assert set(units) | set(EXPRESSION_VARIANTS[name]) <= set(ACTION_UNITS)
    prototypes = torch.stack([unit_intensities(units) for units in EXPRESSIONS.values()])
    assert len(prototypes.flatten(1).unique(dim=0)) == len(EXPRESSIONS)


def test_unknown_units():
    with pytest.raises(ValueError, match=r'units must be some of \[1, 2, .*, got \[3, 99\]'):
        unit_intensities({3: 1.0, 12: 1.0, 99: 0.0})
