"""Walks with the labels of CASIA-B, and the results of recognition by embeddings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

import graphmotion.visualization as vis
from graphmotion.data import GraphDataset
from graphmotion.metrics import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    GalleryProbeProtocol,
    GalleryProbeScores,
    describe_outcomes,
    gallery_probe,
    retrieve,
)
from graphmotion.training import EmbeddingRecipe
from shared import common

PROTOCOLS = {'LT': CASIA_B_LT, 'MT': CASIA_B_MT, 'ST': CASIA_B_ST}
CASIA_B_SUBJECTS = 124

Recipe = TypeVar('Recipe', bound=EmbeddingRecipe)

# Command line and data #########################################################################


def add_data_options(parser: ArgumentParser, datasets: Sequence[str], subjects: int) -> Any:
    """Adds the options of generated walks and of published datasets of walks."""
    data = parser.add_argument_group('data')
    data.add_argument('--dataset', default='synthetic', choices=['synthetic', *datasets])
    data.add_argument('--root', help='folder of the dataset, with its files in raw/')
    data.add_argument('--protocol', default='LT', choices=list(PROTOCOLS), help='of CASIA-B')
    data.add_argument('--subjects', type=int, default=subjects, help='number of generated subjects')
    data.add_argument('--views', type=int, nargs='+', help='generated views in degrees')
    data.add_argument('--frames', type=int, help='number of frames of a training clip')
    return data


def check_data_options(parser: ArgumentParser, argv: Sequence[str] | None, args: Namespace) -> None:
    """Exits with an error if options do not fit the dataset."""
    synthetic = args.dataset == 'synthetic'
    common.check_root(parser, args.dataset, args.root, synthetic)
    casia_b = synthetic or args.dataset == 'casia_b'
    rules = [('--protocol', casia_b, 'for CASIA-B and generated walks')]
    rules += [(f'--{name}', synthetic, 'for generated walks') for name in ('subjects', 'views')]
    common.refuse_unused(parser, argv, rules)
    if synthetic and not 2 <= num_train_subjects(args) < args.subjects:
        parser.error(f'--subjects {args.subjects} is too few for --protocol {args.protocol}')


def num_train_subjects(args: Namespace) -> int:
    """Returns the number of generated training subjects, the same fraction as in CASIA-B."""
    return round(PROTOCOLS[args.protocol].train_subjects * args.subjects / CASIA_B_SUBJECTS)


def num_test_subjects(args: Namespace) -> int:
    """Returns the number of test subjects of generated walks, and at least that of CASIA-B."""
    if args.dataset != 'synthetic':
        return CASIA_B_SUBJECTS - CASIA_B_LT.train_subjects
    return args.subjects - num_train_subjects(args)


def generated_protocol(args: Namespace) -> GalleryProbeProtocol:
    """Returns the protocol of CASIA-B for the number of generated subjects."""
    protocol, count = PROTOCOLS[args.protocol], num_train_subjects(args)
    if args.subjects == CASIA_B_SUBJECTS:
        return protocol
    name = f'{protocol.name}, {count} of {args.subjects} subjects to train'
    return replace(protocol, name=name, train_subjects=count)


def limit_subjects(recipe: Recipe, part: GraphDataset) -> Recipe:
    """Returns the recipe with at most the subjects of the training samples in a batch."""
    count = len(part.labels('subject').unique())
    return replace(recipe, subjects_per_batch=min(count, recipe.subjects_per_batch))


# Results #######################################################################################


class Run(NamedTuple):
    """A trained network, the embeddings of the test walks and figures for results.json."""

    model: torch.nn.Module
    embedding: Tensor
    report: dict[str, Any]


def score(
    args: Namespace,
    protocol: GalleryProbeProtocol,
    test: GraphDataset,
    embeddings: Mapping[str, Tensor],
    **options: Any,
) -> dict[str, GalleryProbeScores]:
    """Scores embeddings and draws rank-1 by view, the CMC curve and retrievals for five probes."""
    rows = {
        title: gallery_probe(embedding, test, protocol, args.distance)
        for title, embedding in embeddings.items()
    }
    if next(iter(rows.values())).probe_views:
        vis.plot_rank_by_view(rows, path=args.out / 'views.png')
    vis.plot_cmc(rows, max_rank=10, path=args.out / 'cmc.png')
    title, embedding = list(embeddings.items())[-1]
    probes = torch.cat(list(protocol.select(test)[1].values()))
    generator = torch.Generator().manual_seed(args.seed)
    shown = probes[torch.randperm(len(probes), generator=generator)[:5]]
    found = retrieve(embedding, test, protocol, shown, distance=args.distance)
    path = args.out / 'retrieval.png'
    vis.plot_retrieval(test, found, title=title, path=path, **options)
    return rows


def draw_embeddings(
    args: Namespace, protocol: GalleryProbeProtocol, test: GraphDataset, runs: Mapping[str, Run]
) -> None:
    """Draws the embeddings of seven subjects by t-SNE."""
    from sklearn.manifold import TSNE  # installed by the extra 'train'

    gallery, probes = protocol.select(test)
    subject = test.labels('subject')
    kind = torch.full((len(test),), -1)
    for number, positions in enumerate([gallery, *probes.values()]):
        kind[positions] = number
    shown = (torch.isin(subject, subject[gallery].unique()[:7]) & (kind >= 0)).nonzero().view(-1)
    shown = shown[:: -(-len(shown) // 1500)]
    tsne = TSNE(perplexity=min(30, (len(shown) - 1) / 3), random_state=args.seed)
    points = {
        title: torch.nn.functional.normalize(run.embedding[shown], dim=-1).flatten(1)
        for title, run in runs.items()
    }
    vis.plot_embedding(
        {title: tsne.fit_transform(x) for title, x in points.items()},
        [f'{s + 1:03d}' for s in subject[shown].tolist()],
        [['gallery', *probes][k] for k in kind[shown].tolist()],
        path=args.out / 'embedding.png',
    )


def outcomes(
    args: Namespace,
    protocol: GalleryProbeProtocol,
    test: GraphDataset,
    embeddings: Mapping[str, Tensor],
) -> dict[str, Any]:
    """Returns the entries of results.json by which networks are compared on the probes.

    A probe is correct if the nearest sample of the gallery of all views has its subject.
    """
    found = {
        title: retrieve(embedding, test, protocol, k=1, distance=args.distance)
        for title, embedding in embeddings.items()
    }
    probes = next(iter(found.values())).probes
    return describe_outcomes(
        {title: result.correct[:, 0] for title, result in found.items()},
        test.fingerprint(),
        f'{protocol.name}, rank-1 among all views',
        test.labels(protocol.subject)[probes],
    )


def save(
    args: Namespace,
    rows: Mapping[str, GalleryProbeScores],
    runs: Mapping[str, Run],
    classifiers: Mapping[str, float] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Writes the scores of all rows and the reports of all networks to results.json.

    ``classifiers`` are the rank-1 accuracies of methods without embeddings.
    """
    scores: dict[str, Any] = {title: row.as_dict() for title, row in rows.items()}
    for title, accuracy in (classifiers or {}).items():
        scores[title] = {'figures': {'rank-1': accuracy}}
    reports = {title: run.report for title, run in runs.items()}
    return common.save_results(args, {'scores': scores, 'runs': reports, **more})
