import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphmotion.metrics import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    ODD_TO_EVEN_TAKES,
    OU_MVLP,
    USF,
    GalleryProbeProtocol,
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


def test_usf_changes_what_its_probes_are_named_for():
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


def test_a_closed_set_trains_with_its_gallery():
    dataset = Labelled({'subject': [0, 0, 0, 1, 1], 'take': [1, 2, 3, 1, 2]})
    dataset.fields = {name: torch.tensor(values) for name, values in dataset.fields.items()}
    train, test = ODD_TO_EVEN_TAKES.split(dataset)
    assert train.labels('take').tolist() == [1, 3, 1]
    assert test is dataset
    gallery, probes = ODD_TO_EVEN_TAKES.select(dataset)
    assert (gallery.tolist(), probes['even'].tolist()) == ([0, 2, 3], [1, 4])
    assert ODD_TO_EVEN_TAKES.fields == ('subject', 'take')  # no views
    assert not ODD_TO_EVEN_TAKES.exclude_identical_view


def test_subjects_to_train_with_are_a_number_a_list_or_a_function():
    labels = {'subject': torch.arange(6), 'take': torch.tensor([1, 2] * 3)}
    for subjects, expected in (
        (2, [0, 1]),
        (np.int64(2), [0, 1]),
        ((4, 1), [1, 4]),
        (lambda s: s > 3, [4, 5]),
    ):
        protocol = replace(ODD_TO_EVEN_TAKES, train_subjects=subjects)
        assert protocol.is_train(labels).nonzero().view(-1).tolist() == expected
        gallery, probes = protocol.select(labels)
        chosen = gallery.tolist() + probes['even'].tolist()
        assert sorted(chosen + expected) == list(range(6))


def test_labels_may_be_lists_and_arrays():
    labels = {'subject': [3, 3], 'take': torch.tensor([1, 2]).numpy()}
    gallery, probes = ODD_TO_EVEN_TAKES.select(labels)
    assert (gallery.tolist(), probes['even'].tolist()) == ([0], [1])


def test_labels_are_integers():
    with pytest.raises(ValueError, match="the label 'subject' is one integer for each sample, got"):
        ODD_TO_EVEN_TAKES.select({'subject': ['anna', 'ben'], 'take': [1, 2]})


def test_subjects_that_count_from_one_are_noticed():
    labels = casia_b_labels(80)
    protocol = replace(CASIA_B_LT)
    protocol.split(Labelled(labels))
    labels = labels | {'subject': labels['subject'] + 1}
    with pytest.warns(
        UserWarning, match=r'here they count from 1: pass train_subjects=range\(1, 75'
    ):
        protocol.split(Labelled(labels))


def test_protocols_of_the_field_can_be_pickled():
    for protocol in (CASIA_B_LT, OU_MVLP, USF, ODD_TO_EVEN_TAKES):
        assert pickle.loads(pickle.dumps(protocol)) == protocol


def test_bad_protocols_are_refused():
    with pytest.raises(ValueError, match="'p' has no set of probes"):
        GalleryProbeProtocol('p', gallery={'take': 1}, probes={})
    with pytest.raises(ValueError, match='no condition for its gallery'):
        GalleryProbeProtocol('p', gallery={}, probes={'a': {'take': 2}})
    with pytest.raises(ValueError, match=r"no condition for its probes 'a'.*got 2"):
        GalleryProbeProtocol('p', gallery={'take': 1}, probes={'a': 2})


def test_missing_labels_are_named():
    labels = casia_b_labels(2, num_views=2)
    del labels['view']
    with pytest.raises(ValueError, match=r"'CASIA-B LT' needs the label 'view'.*\['condition'"):
        CASIA_B_LT.select(labels)
    with pytest.raises(ValueError, match="needs the label 'view': no field 'view'; there are"):
        CASIA_B_LT.split(Labelled(labels))
    labels['view'] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"one for each sample, got the shapes.*'view': \[3\]"):
        CASIA_B_LT.select(labels)


def test_empty_parts_are_named():
    labels = casia_b_labels(80, num_views=2)
    few = {name: values[labels['condition'] < 2] for name, values in labels.items()}
    message = (
        r"set of probes 'CL' of the protocol 'CASIA-B LT' is empty.*condition 2, take \(1, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        CASIA_B_LT.select(few)
    probes = {name: values[labels['take'] > 4] for name, values in labels.items()}
    with pytest.raises(ValueError, match=r"gallery of .* is empty.*'take': \[5, 6\]"):
        CASIA_B_LT.select(probes)
    with pytest.raises(ValueError, match=r'gallery .* is empty.*the 0 samples of test subjects'):
        CASIA_B_LT.select(casia_b_labels(74, num_views=2))
    late = {**labels, 'subject': labels['subject'] + 74}
    with pytest.raises(ValueError, match='no sample to train with: no subject of the 1600'):
        CASIA_B_LT.split(Labelled(late))


def test_a_function_has_to_return_a_mask():
    protocol = replace(ODD_TO_EVEN_TAKES, gallery={'take': lambda take: take % 2})
    with pytest.raises(ValueError, match=r"on 'take' returns a mask.*int64 of \[2\]"):
        protocol.select({'subject': [0, 0], 'take': [1, 2]})
