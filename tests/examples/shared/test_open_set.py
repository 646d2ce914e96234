import re
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from shared import open_set

from graphmotion.metrics import CASIA_B_LT, OpenSetScores

from ...metrics.recognition.gait_labels import Labelled, casia_b_labels

PROTOCOL = replace(CASIA_B_LT, train_subjects=0)


def walks(num_subjects=12, noise=0.4):
    labels = casia_b_labels(num_subjects, num_views=2)
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(num_subjects, 8, generator=generator)[labels['subject']]
    return Labelled(labels), people + noise * torch.randn(len(people), 8, generator=generator)


def test_subjects_are_divided_into_thirds():
    test, _ = walks(11)
    parts = open_set.split(PROTOCOL, test)
    subject = test.labels('subject')
    assert subject[parts.calibration].unique().tolist() == [0, 3, 6, 9]
    assert subject[parts.gallery].unique().tolist() == [1, 4, 7, 10]
    assert parts.enrolled.tolist() == [1, 4, 7, 10]
    assert subject[parts.probes].unique().tolist() == [1, 2, 4, 5, 7, 8, 10]
    gallery, probes = PROTOCOL.select(test)
    assert torch.isin(parts.gallery, gallery).all()
    assert torch.isin(parts.probes, torch.cat(list(probes.values()))).all()


def test_evaluation(tmp_path, capsys):
    test, embedding = walks()
    args = Namespace(out=tmp_path, distance='cosine', open_set=0.05)
    parts3 = {'A': embedding, 'B': embedding.view(-1, 2, 4)}
    rows = open_set.evaluate(args, PROTOCOL, test, parts3)
    assert list(rows) == ['A, mean', 'A, all', 'B, mean', 'B, all']
    printed = capsys.readouterr().out
    assert '4 of 8 subjects enrolled, false accept rate of 5% calibrated on 4 more' in printed
    for row in rows.values():
        assert 0 <= row['EER'] < 0.3
        assert row['DIR@FAR=1%'] <= row['DIR@FAR=10%'] <= row['rank-1'] <= 1
        assert re.search(rf'\| +{100 * row["EER"]:.1f} \|', printed)
    for name in ('det', 'open_set', 'scores'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert min(image.size) > 100
    # With templates of all samples, the distance to a person is that to the nearest sample.
    parts, subject = open_set.split(PROTOCOL, test), test.labels('subject')
    unit = embedding.double() / embedding.double().norm(dim=1, keepdim=True)
    distance = 1 - unit[parts.probes] @ unit[parts.gallery].t()
    columns = [subject[parts.gallery] == person for person in parts.enrolled]
    distance = torch.stack([distance[:, column].amin(dim=1) for column in columns], dim=1)
    person = [
        parts.enrolled.tolist().index(s) if s in parts.enrolled else -1
        for s in subject[parts.probes].tolist()
    ]
    expected = OpenSetScores.from_distances(distance, torch.tensor(person))
    assert rows['A, all']['DIR@FAR=10%'] == pytest.approx(expected.detection_rate_at(0.1))
    gallery = open_set.make_gallery(parts, subject, embedding, 0.05, templates='all')
    threshold = gallery.identification_threshold
    rate = float(expected.false_alarm_rate(threshold))
    np.testing.assert_allclose(rows['A, all']['calibrated FAR'], rate, atol=0.01)
    calibrated = gallery.identify(embedding[parts.calibration]).known.double().mean()
    assert calibrated <= 0.05
