import pickle

import pytest
import torch

from graphmotion.metrics import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    ODD_TO_EVEN_TAKES,
    OU_MVLP,
    USF,
)

from .gait_labels import Labelled, casia_b_labels


@pytest.mark.parametrize(
    ('protocol', 'num_train', 'num_test'),
    [(CASIA_B_ST, 24, 100), (CASIA_B_MT, 62, 62), (CASIA_B_LT, 74, 50)],
)
def test_casia_b_splits_by_subject(protocol, num_train, num_test):
    train, test = protocol.split(Labelled(casia_b_labels(124, num_views=2)))
    assert train.labels('subject').unique().tolist() == list(range(num_train))
    assert test.labels('subject').unique().tolist() == list(range(num_train, 124))
    assert len(train) + len(test) == 124 * 10 * 2
    assert len(test) == num_test * 10 * 2


def test_casia_b_gallery_and_probes():
    labels = casia_b_labels(80, num_views=3)
    gallery, probes = CASIA_B_LT.select(labels)
    assert list(probes) == ['NM', 'BG', 'CL']
    rows = {'gallery': gallery, **probes}
    found = {
        name: {(int(labels['condition'][i]), int(labels['take'][i])) for i in positions}
        for name, positions in rows.items()
    }
    assert found == {
        'gallery': {(0, 1), (0, 2), (0, 3), (0, 4)},
        'NM': {(0, 5), (0, 6)},
        'BG': {(1, 1), (1, 2)},
        'CL': {(2, 1), (2, 2)},
    }
    assert [len(p) for p in rows.values()] == [6 * 3 * n for n in (4, 2, 2, 2)]
    for positions in rows.values():
        assert labels['subject'][positions].min() == 74  # none to train with


def test_ou_mvlp_counts():
    subject = torch.arange(10307).repeat_interleave(2)
    take = torch.arange(2).repeat(10307)
    dataset = Labelled({'subject': subject, 'take': take, 'view': torch.zeros_like(take)})
    train, test = OU_MVLP.split(dataset)
    assert len(train) == 2 * 5153
    assert len(test) == 2 * 5154
    assert test.labels('subject').unique()[[0, 1, -2, -1]].tolist() == [1, 3, 10305, 10306]
    gallery, probes = OU_MVLP.select(test)
    assert test.labels('take')[gallery].unique().tolist() == [1]
    assert test.labels('take')[probes['00']].unique().tolist() == [0]


def test_usf_probe_sets():
    covariates = torch.cartesian_prod(*[torch.arange(2)] * 3)
    labels = dict(zip(('surface', 'shoe', 'camera'), covariates.unbind(1)))
    labels['subject'] = torch.zeros(8, dtype=torch.long)
    gallery, probes = USF.select(labels)
    assert covariates[gallery].tolist() == [[0, 0, 0]]
    changed = {name: covariates[positions].tolist() for name, positions in probes.items()}
    assert changed == {  # surface, shoe, camera
        'A': [[0, 0, 1]],
        'B': [[0, 1, 0]],
        'C': [[0, 1, 1]],
        'D': [[1, 0, 0]],
        'E': [[1, 1, 0]],
        'F': [[1, 0, 1]],
        'G': [[1, 1, 1]],
    }


def test_published_protocols_can_be_pickled():
    for protocol in (CASIA_B_LT, OU_MVLP, USF, ODD_TO_EVEN_TAKES):
        assert pickle.loads(pickle.dumps(protocol)) == protocol
