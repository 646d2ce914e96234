from dataclasses import replace

import numpy as np
import pytest
import torch

from graphmotion.metrics import (
    CASIA_B_LT,
    ODD_TO_EVEN_TAKES,
    GalleryProbeProtocol,
)

from .gait_labels import Labelled, casia_b_labels


def test_closed_set_protocols_train_on_the_gallery():
    dataset = Labelled({'subject': [0, 0, 0, 1, 1], 'take': [1, 2, 3, 1, 2]})
    dataset.fields = {name: torch.tensor(values) for name, values in dataset.fields.items()}
    train, test = ODD_TO_EVEN_TAKES.split(dataset)
    assert train.labels('take').tolist() == [1, 3, 1]
    assert test is dataset
    gallery, probes = ODD_TO_EVEN_TAKES.select(dataset)
    assert (gallery.tolist(), probes['even'].tolist()) == ([0, 2, 3], [1, 4])
    assert ODD_TO_EVEN_TAKES.fields == ('subject', 'take')  # no views
    assert not ODD_TO_EVEN_TAKES.exclude_identical_view


def test_training_subjects_may_be_a_number_a_list_or_a_function():
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
    with pytest.raises(ValueError, match="label 'subject' must be one integer per sample, got"):
        ODD_TO_EVEN_TAKES.select({'subject': ['anna', 'ben'], 'take': [1, 2]})


def test_subjects_numbered_from_one_raise_a_warning():
    labels = casia_b_labels(80)
    protocol = replace(CASIA_B_LT)
    protocol.split(Labelled(labels))
    labels = labels | {'subject': labels['subject'] + 1}
    with pytest.warns(UserWarning, match=r'numbered from 1; pass train_subjects=range\(1, 75'):
        protocol.split(Labelled(labels))


def test_bad_protocols_raise():
    with pytest.raises(ValueError, match="probes must not be empty, got none for protocol 'p'"):
        GalleryProbeProtocol('p', gallery={'take': 1}, probes={})
    with pytest.raises(ValueError, match="gallery of protocol 'p' must be a non-empty dict"):
        GalleryProbeProtocol('p', gallery={}, probes={'a': {'take': 2}})
    with pytest.raises(ValueError, match=r"probes 'a' of protocol 'p' must be .*got 2"):
        GalleryProbeProtocol('p', gallery={'take': 1}, probes={'a': 2})


def test_missing_labels_are_named():
    labels = casia_b_labels(2, num_views=2)
    del labels['view']
    with pytest.raises(ValueError, match=r"include 'view' for .* 'CASIA-B LT', got \['condition'"):
        CASIA_B_LT.select(labels)
    with pytest.raises(ValueError, match=r"must include 'view' for .*, no field 'view'; there are"):
        CASIA_B_LT.split(Labelled(labels))
    labels['view'] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"labels must all have shape .*'view': \[3\]"):
        CASIA_B_LT.select(labels)


def test_empty_parts_are_named():
    labels = casia_b_labels(80, num_views=2)
    few = {name: values[labels['condition'] < 2] for name, values in labels.items()}
    message = (
        r"probe set 'CL' of protocol 'CASIA-B LT' must not be empty.*condition 2, take \(1, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        CASIA_B_LT.select(few)
    probes = {name: values[labels['take'] > 4] for name, values in labels.items()}
    with pytest.raises(ValueError, match=r"gallery of .* must not be empty.*'take': \[5, 6\]"):
        CASIA_B_LT.select(probes)
    with pytest.raises(ValueError, match=r'gallery .* must not be empty.*got 0 samples of test'):
        CASIA_B_LT.select(casia_b_labels(74, num_views=2))
    late = {**labels, 'subject': labels['subject'] + 74}
    with pytest.raises(ValueError, match='at least one training sample, got none of 1600 samples'):
        CASIA_B_LT.split(Labelled(late))


def test_a_condition_must_return_a_mask():
    protocol = replace(ODD_TO_EVEN_TAKES, gallery={'take': lambda take: take % 2})
    with pytest.raises(ValueError, match=r"on 'take' must return a boolean mask.*int64 of \[2\]"):
        protocol.select({'subject': [0, 0], 'take': [1, 2]})
