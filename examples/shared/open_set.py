"""Open-set evaluation: enrolled people and strangers, with a calibrated threshold."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

import graphmotion.visualization as vis
from graphmotion.data import GraphDataset
from graphmotion.inference import Gallery
from graphmotion.metrics import (
    GalleryProbeProtocol,
    OpenSetScores,
    VerificationScores,
    markdown_table,
)

TEMPLATES = ('mean', 'all')
FALSE_ACCEPT_RATE = 0.01
MIN_SUBJECTS = 3  # one to calibrate, one to enroll and one stranger


def add_option(group: Any) -> None:
    group.add_argument(
        '--open-set',
        type=float,
        nargs='?',
        const=FALSE_ACCEPT_RATE,
        metavar='RATE',
        help='identify enrolled people and strangers, at a false accept rate calibrated on others '
        f'(default: {FALSE_ACCEPT_RATE})',
    )


def check_option(parser: ArgumentParser, args: Namespace, num_test_subjects: int) -> None:
    """Exits with an error if the rate is invalid or there are too few test subjects."""
    if args.open_set is None:
        return
    if not 0 < args.open_set < 1:
        parser.error(f'--open-set must be between 0 and 1, got {args.open_set}')
    if num_test_subjects < MIN_SUBJECTS:
        parser.error(
            f'--open-set needs {MIN_SUBJECTS} test subjects, got {num_test_subjects}: use more '
            '--subjects'
        )


class OpenSet(NamedTuple):
    """Row indices of the test samples, and the subjects to enroll."""

    calibration: Tensor
    gallery: Tensor
    probes: Tensor
    enrolled: Tensor


def split(protocol: GalleryProbeProtocol, test: GraphDataset) -> OpenSet:
    """Divides the test subjects into thirds, to calibrate, to enroll and as strangers."""
    gallery, probes = protocol.select(test)
    rows = torch.cat(list(probes.values())).unique()
    subject = test.labels(protocol.subject)
    known = subject[gallery].unique()
    held_out, enrolled = known[0::3], known[1::3]
    return OpenSet(
        calibration=rows[torch.isin(subject[rows], held_out)],
        gallery=gallery[torch.isin(subject[gallery], enrolled)],
        probes=rows[~torch.isin(subject[rows], held_out)],
        enrolled=enrolled,
    )


def make_gallery(
    parts: OpenSet, subject: Tensor, embedding: Tensor, rate: float, **options: Any
) -> Gallery:
    gallery = Gallery(**options)
    for person in parts.enrolled:
        samples = parts.gallery[subject[parts.gallery] == person]
        gallery.enroll(str(int(person)), embedding[samples])
    held_out = parts.calibration
    gallery.calibrate(embedding[held_out], subject[held_out], rate)
    return gallery


def score(
    gallery: Gallery, parts: OpenSet, subject: Tensor, embedding: Tensor
) -> tuple[VerificationScores, OpenSetScores, dict[str, float]]:
    """Scores the probes against the enrolled people."""
    distance = gallery.distances(embedding[parts.probes])
    is_own = subject[parts.probes].unsqueeze(1) == parts.enrolled
    person = torch.where(is_own.any(dim=1), is_own.double().argmax(dim=1), -1)
    verification = VerificationScores(distance[is_own], distance[~is_own])
    open_set = OpenSetScores.from_distances(distance, person)
    threshold = gallery.identification_threshold
    figures = verification.figures((0.01,)) | open_set.figures((0.01, 0.1))
    figures['calibrated FAR'] = float(open_set.false_alarm_rate(threshold))
    figures['calibrated DIR'] = float(open_set.detection_rate(threshold))
    return verification, open_set, figures


def evaluate(
    args: Namespace,
    protocol: GalleryProbeProtocol,
    test: GraphDataset,
    embeddings: Mapping[str, Tensor],
) -> dict[str, dict[str, float]]:
    """Prints and draws error rates with enrolled people and strangers, for both templates.

    Unlike in the table of the protocol, people are enrolled from all views, including the probe's.
    """
    parts, subject = split(protocol, test), test.labels(protocol.subject)
    verifications, open_sets, rows = {}, {}, {}
    for title, embedding in embeddings.items():
        for templates in TEMPLATES:
            options = {'distance': args.distance, 'templates': templates}
            gallery = make_gallery(parts, subject, embedding, args.open_set, **options)
            name = f'{title}, {templates}'
            scores = score(gallery, parts, subject, embedding)
            verifications[name], open_sets[name], rows[name] = scores
    vis.plot_det(verifications, path=args.out / 'det.png')
    vis.plot_open_set(open_sets, false_alarm_rate=args.open_set, path=args.out / 'open_set.png')
    threshold = gallery.verification_threshold
    vis.plot_scores(verifications[name], threshold, title=name, path=args.out / 'scores.png')
    people = [len(subject[part].unique()) for part in (parts.calibration, parts.probes)]
    print(
        f'Open set, in per cent: {len(parts.enrolled)} of {people[1]} subjects enrolled, false '
        f'accept rate of {100 * args.open_set:g}% calibrated on {people[0]} more\n'
    )
    cells = [[name, *(f'{100 * v:.1f}' for v in row.values())] for name, row in rows.items()]
    print(markdown_table(['', *rows[name]], cells), end='\n\n')
    return rows
