"""Samples to transform, and checks of every transform."""

import copy

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.skeletons import get_skeleton


def _make(
    skeleton='coco17',
    num_frames=12,
    dims=3,
    people=1,
    padding=0,
    missing=0.0,
    silhouettes=False,
    seed=0,
    dtype=torch.float32,
):
    """Returns a random sample with a fraction of ``missing`` joints, or without score if None."""
    random = np.random.default_rng(seed)
    skeleton = get_skeleton(skeleton)
    nodes, total = people * skeleton.num_joints, num_frames + padding
    pos = torch.tensor(random.normal(size=(nodes, total, dims)) + 2, dtype=dtype)
    pos[:, num_frames:] = pos[:, num_frames - 1 : num_frames]
    edge_index = skeleton.edge_index
    data = Data(
        pos=pos,
        edge_index=torch.cat([edge_index + m * skeleton.num_joints for m in range(people)], 1),
        y=torch.tensor([seed]),
        num_frames=torch.tensor([num_frames]),
    )
    if missing is not None:
        score = torch.tensor(random.uniform(0.2, 1, size=(nodes, total)), dtype=dtype)
        score[torch.tensor(random.uniform(size=(nodes, total)) < missing)] = 0
        data.score = score
        data.pos = pos * (score > 0).unsqueeze(-1)
    if silhouettes:
        data.silhouettes = torch.tensor(random.uniform(size=(1, total, 6, 4)) < 0.5)
    return data


def _assert_same(one, other, atol=1e-6):
    assert type(one).__name__ == type(other).__name__
    a, b = one.to_dict(), other.to_dict()
    assert a.keys() == b.keys()
    _assert_same_values(a, b, atol)


def _assert_same_values(a, b, atol, where=''):
    for key, value in a.items():
        if isinstance(value, dict):
            assert value.keys() == b[key].keys()
            _assert_same_values(value, b[key], atol, f'{where}{key} ')
        elif isinstance(value, torch.Tensor):
            if value.dtype == b[key].dtype and torch.equal(value, b[key]):
                continue  # faster than below, and most are equal
            kwargs = {'atol': atol, 'rtol': 1e-5, 'msg': lambda m, key=key: f'{where}{key}: {m}'}
            torch.testing.assert_close(value, b[key], **kwargs)
        else:
            assert value == b[key]


def _transform_both(transform, samples, seed=7):
    """The batch of the transformed samples and the transformed batch, from the same draws."""
    batch = Batch.from_data_list(samples)
    torch.manual_seed(seed)
    expected = [transform(data) for data in samples]
    torch.manual_seed(seed)
    return expected, transform(batch)


def _assert_alike(transform, samples, atol=1e-6):
    """Checks that a transform acts equally on batch and samples and keeps its input."""
    before = [copy.deepcopy(data) for data in samples]
    expected, out = _transform_both(transform, samples)
    for data, old in zip(samples, before):
        _assert_same(data, old, atol=0)
    _assert_same(out, Batch.from_data_list(expected), atol)
    parts = out.to_data_list()
    assert len(parts) == len(samples)
    for part, data in zip(parts, expected):
        _assert_same(part, data, atol)
    return expected, out


@pytest.fixture
def make():
    return _make


@pytest.fixture
def assert_same():
    return _assert_same


@pytest.fixture
def assert_alike():
    return _assert_alike


@pytest.fixture
def both():
    return _transform_both
