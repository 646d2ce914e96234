"""Scores of a gallery-probe protocol, and a table of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from graphmotion.checks import check_choice
from graphmotion.metrics.markdown import markdown_table


@dataclass(frozen=True, eq=False)
class GalleryProbeScores:
    r"""Scores of the recognition of probes, returned by :func:`gallery_probe`.

    *Accuracy by view* uses each gallery view as a separate gallery. The rank-:math:`k` accuracy of
    a probe set, a probe view and a gallery view is the fraction of probes with a true match among
    the :math:`k` nearest gallery samples. A pair of views without any probe that has a true match
    has the accuracy NaN and is ignored in all means. Means are computed as in the literature: over
    the gallery views, without the identical view if the protocol excludes it, then over the probe
    views, then over the probe sets.

    :attr:`cmc`, :attr:`mean_average_precision` and :attr:`mean_inverse_negative_penalty` use one
    gallery with *all views*. If the protocol excludes identical views, samples of the probe's
    subject in the probe's view are removed from this gallery; without :attr:`same_view_impostors`,
    all samples in the probe's view are removed.

    A probe whose subject is not in a gallery cannot be recognised there. It is excluded from the
    scores of that gallery and counted in :attr:`left_out` and :attr:`num_left_out`. Some published
    evaluation code, for instance for OU-MVLP, counts such a probe as an error; set
    :obj:`left_out_are_wrong` to compare with its results.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        scores = gallery_probe(torch.randn(len(dataset), 16), dataset, protocol)
        print(scores.mean_accuracy(), scores.figures()['rank-5/NM'])

    Args:
        protocol (str): Name of the protocol.
        distance (str): Distance of embeddings.
        probe_sets (tuple of str): Names of the probe sets.
        probe_views (tuple of int): Views of the probes; empty if the protocol has no views.
        gallery_views (tuple of int): Views of the gallery; empty if the protocol has no views.
        exclude_identical_view (bool): Whether means exclude the probe's own view.
        same_view_impostors (bool): Whether the gallery of all views keeps other subjects in the
            probe's own view if identical views are excluded.
        ranks (tuple of int): Ranks :math:`k` of :attr:`hits`.
        hits (Tensor): Number of probes with a true match among the :math:`k` nearest samples.
        scored (Tensor): Number of probes with a true match in the gallery view.
        left_out (Tensor): Number of probes without a true match in the gallery view.
        cmc (Tensor): Cumulative match characteristic: the fraction of probes with a true match
            among the :math:`1 .. K` nearest samples of all views.
        mean_average_precision (Tensor): Mean average precision of the probes.
        mean_inverse_negative_penalty (Tensor): Mean over the probes of the number of true matches
            divided by the rank of the farthest true match.
        num_scored (Tensor): Number of probes with a true match in the gallery of all views.
        num_left_out (Tensor): Number of probes without a true match in the gallery of all views.

    Shapes:
        - **hits:** :math:`(R, S, V_p, V_g)`, integers, for :math:`S` probe sets
        - **scored**, **left_out:** :math:`(S, V_p, V_g)`, integers
        - **cmc:** :math:`(S, K)`
        - **mean_average_precision**, **mean_inverse_negative_penalty**, **num_scored**,
          **num_left_out:** :math:`(S)`
    """

    protocol: str
    distance: str
    probe_sets: tuple[str, ...]
    probe_views: tuple[int, ...]
    gallery_views: tuple[int, ...]
    exclude_identical_view: bool
    same_view_impostors: bool
    ranks: tuple[int, ...]
    hits: Tensor
    scored: Tensor
    left_out: Tensor
    cmc: Tensor
    mean_average_precision: Tensor
    mean_inverse_negative_penalty: Tensor
    num_scored: Tensor
    num_left_out: Tensor

    # Accuracy by view #########################################################

    def pair_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Returns the rank-:math:`k` accuracy of each pair of views, including identical views.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): If set to :obj:`True`, a probe without a true match
                in the gallery view counts as an error. (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S, V_p, V_g)`, NaN for pairs of views without probes

        Raises:
            ValueError: If the rank is not in :attr:`ranks`.
        """
        check_choice('rank', rank, self.ranks)
        total = self.scored + self.left_out if left_out_are_wrong else self.scored
        return self.hits[self.ranks.index(rank)].double() / total  # 0 / 0 is NaN

    def view_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Returns the rank-:math:`k` accuracy of each probe view, the mean over gallery views.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): As in :meth:`pair_accuracy`.
                (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S, V_p)`, with a single column if the protocol has no views
        """
        pairs = self.pair_accuracy(rank, left_out_are_wrong)
        if self.exclude_identical_view:
            own = torch.tensor(self.probe_views).unsqueeze(1) == torch.tensor(self.gallery_views)
            pairs = pairs.masked_fill(own, math.nan)
        return pairs.nanmean(dim=-1)

    def accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Returns the rank-:math:`k` accuracy of each probe set, the mean over probe views.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): As in :meth:`pair_accuracy`.
                (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S)`
        """
        return self.view_accuracy(rank, left_out_are_wrong).nanmean(dim=-1)

    def mean_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> float:
        r"""Returns the rank-:math:`k` accuracy, the mean over probe sets.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): As in :meth:`pair_accuracy`.
                (default: :obj:`False`)
        """
        return float(self.accuracy(rank, left_out_are_wrong).nanmean())

    def _metrics(self, left_out_are_wrong: bool = False) -> dict[str, Tensor]:
        """Returns each metric by name, with one value for each probe set."""
        return {
            **{f'rank-{k}': self.accuracy(k, left_out_are_wrong) for k in self.ranks},
            'mAP': self.mean_average_precision,
            'mINP': self.mean_inverse_negative_penalty,
        }

    # Serialisation ############################################################

    def figures(self) -> dict[str, float]:
        r"""Returns all metrics by name, :obj:`"rank-1/NM"` for a probe set and :obj:`"rank-1"` for
        the mean over the probe sets. :func:`fold_summary` accepts them for several runs.
        """
        out = {}
        for name, values in self._metrics().items():
            out[name] = float(values.nanmean())
            out |= {f'{name}/{s}': v for s, v in zip(self.probe_sets, values.tolist())}
        return out

    def as_dict(self) -> dict[str, Any]:
        r"""Returns plain containers for JSON, which :meth:`from_dict` reads.

        Undefined values are None. The key :obj:`figures` holds the output of :meth:`figures`.
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **{k: _plain(v.tolist() if isinstance(v, Tensor) else v) for k, v in values.items()},
            'figures': {k: _plain(v) for k, v in self.figures().items()},
        }

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> GalleryProbeScores:
        r"""Restores scores from the output of :meth:`as_dict`.

        Raises:
            ValueError: If the mapping lacks one of the fields.
        """
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if name not in mapping]
        if missing:
            raise ValueError(f'mapping must have the keys {names}, got none of {missing}')
        values = {name: mapping[name] for name in names}
        for name in ('probe_sets', 'probe_views', 'gallery_views', 'ranks'):
            values[name] = tuple(values[name])
        for name in ('hits', 'scored', 'left_out', 'num_scored', 'num_left_out'):
            values[name] = torch.tensor(values[name], dtype=torch.long)
        for name in ('cmc', 'mean_average_precision', 'mean_inverse_negative_penalty'):
            values[name] = torch.tensor(_none_to_nan(values[name]), dtype=torch.float64)
        return cls(**values)

    def format_table(self, rank: int = 1, left_out_are_wrong: bool = False) -> str:
        r"""Returns the Markdown table of :func:`format_recognition_table` for these scores."""
        return format_recognition_table({'': self}, rank, left_out_are_wrong)

    def __str__(self) -> str:
        return self.format_table(self.ranks[0])


def _plain(value: Any) -> Any:
    """Replaces tuples by lists and NaN by None."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _none_to_nan(value: Any) -> Any:
    """Replaces None by NaN in nested lists."""
    if isinstance(value, list):
        return [_none_to_nan(v) for v in value]
    return math.nan if value is None else value


def format_recognition_table(
    rows: Mapping[str, GalleryProbeScores], rank: int = 1, left_out_are_wrong: bool = False
) -> str:
    r"""Returns a Markdown table of percentages in the layout of gait recognition papers.

    Rows are the probe sets and the runs within each probe set, followed by the means over the
    probe sets. Columns are the probe views and their mean. If the protocol has no views, columns
    are all ranks of the scores, mAP and mINP. Undefined values are dashes.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        scores = gallery_probe(torch.randn(len(dataset), 16), dataset, protocol)
        print(format_recognition_table({'chance': scores}))

    Args:
        rows (dict): Scores of each run by its name.
        rank (int, optional): Rank of the accuracy if the protocol has views. (default: :obj:`1`)
        left_out_are_wrong (bool, optional): As in :meth:`GalleryProbeScores.pair_accuracy`.
            (default: :obj:`False`)

    Raises:
        ValueError: If there are no rows, or the rows differ in probe sets, views or, if all ranks
            are shown, ranks.
    """
    if not rows:
        raise ValueError('rows must not be empty')
    first = next(iter(rows.values()))
    for name, scores in rows.items():
        for field in ('probe_sets', 'probe_views', *(() if first.probe_views else ('ranks',))):
            expected, found = getattr(first, field), getattr(scores, field)
            if expected != found:
                raise ValueError(f'row {name!r} must have {field} {expected}, got {found}')
    columns = {n: _columns(scores, rank, left_out_are_wrong) for n, scores in rows.items()}
    named = list(rows) != ['']
    names = ['probes', *(['model'] if named else [])]
    means = ['mean'] if len(first.probe_sets) > 1 else []
    lines = []
    for i, probe_set in enumerate([*first.probe_sets, *means]):
        for name, rates in columns.items():
            cells = [_cell(v[i] if i < len(v) else v.nanmean(dim=0)) for v in rates.values()]
            lines.append([probe_set, *([name] if named else []), *cells])
    return markdown_table([*names, *next(iter(columns.values()))], lines, left=names)


def _columns(scores: GalleryProbeScores, rank: int, left_out_are_wrong: bool) -> dict[str, Tensor]:
    """Returns the columns of a table by heading, with one value for each probe set."""
    if not scores.probe_views:
        return scores._metrics(left_out_are_wrong)
    views = scores.view_accuracy(rank, left_out_are_wrong)
    headings = [f'{view}°' for view in scores.probe_views]
    return {**dict(zip(headings, views.unbind(dim=1))), 'mean': views.nanmean(dim=1)}


def _cell(rate: Tensor) -> str:
    return '–' if rate.isnan() else f'{100 * float(rate):.1f}'
