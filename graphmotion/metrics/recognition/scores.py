"""The figures of a gallery-probe protocol, and the table that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from graphmotion.checks import check_choice


@dataclass(frozen=True, eq=False)
class GalleryProbeScores:
    r"""How well probes were recognised; made by :func:`gallery_probe`.

    *By views*, each gallery view is a gallery of its own: the rank-:math:`k` accuracy of a set of
    probes, a probe view and a gallery view is the share of the probes that have a true match
    among their :math:`k` nearest. A pair of views without probes that could be recognised has no
    accuracy: it is NaN and left out of all means. Means are taken as in the papers: over the
    gallery views, without the identical one if the protocol excludes it; of these over the probe
    views; of these over the sets of probes.

    *All at once*, one gallery holds all views: :attr:`cmc`, :attr:`mean_average_precision` and
    :attr:`mean_inverse_negative_penalty`. If the protocol excludes identical views, samples of the
    probe's subject in the probe's own view are left out, and without :attr:`same_view_impostors`
    all samples of that view.

    A probe whose subject is not in a gallery cannot be recognised there. It is left out of that
    gallery's figures and counted in :attr:`left_out` and :attr:`num_left_out`. Some codes, those
    for OU-MVLP among them, count it as a mistake:
    ask for :obj:`left_out_are_wrong` to compare with their figures.

    Args:
        protocol (str): The name of the protocol.
        distance (str): The distance.
        probe_sets (tuple of str): The names of the sets of probes.
        probe_views (tuple of int): The views of the probes; empty if there are no views.
        gallery_views (tuple of int): The views of the gallery; empty if there are no views.
        exclude_identical_view (bool): Whether means leave out the probe's own view.
        same_view_impostors (bool): Whether the gallery of all views keeps other subjects in the
            probe's own view where identical views are excluded.
        ranks (tuple of int): The ranks of :attr:`hits`.
        hits (Tensor): How many probes have a true match among the nearest.
        scored (Tensor): How many probes have a true match in the gallery view.
        left_out (Tensor): How many have none.
        cmc (Tensor): The cumulative match characteristic: the share of the probes that have a true
            match among their :math:`1 .. K` nearest of all views.
        mean_average_precision (Tensor): The mean over the probes of the average precision.
        mean_inverse_negative_penalty (Tensor): The mean over the probes of the number of true
            matches divided by the rank of the farthest of them.
        num_scored (Tensor): How many probes have a true match in the gallery of all views.
        num_left_out (Tensor): How many have none.

    Shapes:
        - **hits:** :math:`(R, S, V_p, V_g)`, integers, for :math:`S` sets of probes
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

    # By views #################################################################

    def pair_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Rank-:math:`k` accuracy of each pair of views, also of identical ones.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): If set to :obj:`True`, a probe without a true match
                in the gallery view is a mistake. (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S, V_p, V_g)`, NaN where there is no pair

        Raises:
            ValueError: If the rank is not one of those asked for.
        """
        check_choice('rank', rank, self.ranks)
        total = self.scored + self.left_out if left_out_are_wrong else self.scored
        return self.hits[self.ranks.index(rank)].double() / total  # 0 / 0 is NaN

    def view_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Rank-:math:`k` accuracy of each probe view: its mean over the gallery views.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): See :meth:`pair_accuracy`.
                (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S, V_p)`; one column if there are no views
        """
        pairs = self.pair_accuracy(rank, left_out_are_wrong)
        if self.exclude_identical_view:
            own = torch.tensor(self.probe_views).unsqueeze(1) == torch.tensor(self.gallery_views)
            pairs = pairs.masked_fill(own, math.nan)
        return pairs.nanmean(dim=-1)

    def accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> Tensor:
        r"""Rank-:math:`k` accuracy of each set of probes: its mean over the probe views.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): See :meth:`pair_accuracy`.
                (default: :obj:`False`)

        Shapes:
            - **output:** :math:`(S)`
        """
        return self.view_accuracy(rank, left_out_are_wrong).nanmean(dim=-1)

    def mean_accuracy(self, rank: int = 1, left_out_are_wrong: bool = False) -> float:
        r"""Rank-:math:`k` accuracy: its mean over the sets of probes.

        Args:
            rank (int, optional): One of :attr:`ranks`. (default: :obj:`1`)
            left_out_are_wrong (bool, optional): See :meth:`pair_accuracy`.
                (default: :obj:`False`)
        """
        return float(self.accuracy(rank, left_out_are_wrong).nanmean())

    # Reading and writing ######################################################

    def figures(self) -> dict[str, float]:
        r"""The means by name, as :obj:`"rank-1/NM"` for a set of probes and :obj:`"rank-1"` for all
        sets; :func:`fold_summary` takes those of several runs.
        """
        by_set = {f'rank-{k}': self.accuracy(k) for k in self.ranks}
        by_set |= {'mAP': self.mean_average_precision, 'mINP': self.mean_inverse_negative_penalty}
        out = {}
        for name, values in by_set.items():
            out[name] = float(values.nanmean())
            out |= {f'{name}/{s}': v for s, v in zip(self.probe_sets, values.tolist())}
        return out

    def as_dict(self) -> dict[str, Any]:
        r"""Everything as plain containers, for JSON; :meth:`from_dict` reads it back.

        What is undefined is None. The key :obj:`figures` holds the means.
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **{k: _plain(v.tolist() if isinstance(v, Tensor) else v) for k, v in values.items()},
            'figures': {k: _plain(v) for k, v in self.figures().items()},
        }

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> GalleryProbeScores:
        r"""The scores that :meth:`as_dict` wrote.

        Raises:
            ValueError: If the mapping lacks one of the fields.
        """
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if name not in mapping]
        if missing:
            raise ValueError(f'expected the keys {names}, {missing} are missing')
        values = {name: mapping[name] for name in names}
        for name in ('probe_sets', 'probe_views', 'gallery_views', 'ranks'):
            values[name] = tuple(values[name])
        for name in ('hits', 'scored', 'left_out', 'num_scored', 'num_left_out'):
            values[name] = torch.tensor(values[name], dtype=torch.long)
        for name in ('cmc', 'mean_average_precision', 'mean_inverse_negative_penalty'):
            values[name] = torch.tensor(_numbers(values[name]), dtype=torch.float64)
        return cls(**values)

    def format_table(self, rank: int = 1, left_out_are_wrong: bool = False) -> str:
        r"""The table of the papers, in Markdown; see :func:`format_recognition_table`."""
        return format_recognition_table({'': self}, rank, left_out_are_wrong)

    def __str__(self) -> str:
        return self.format_table(self.ranks[0])


def _plain(value: Any) -> Any:
    """Lists for tuples, None for NaN."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _numbers(value: Any) -> Any:
    """NaN for None."""
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return math.nan if value is None else value


def format_recognition_table(
    rows: Mapping[str, GalleryProbeScores], rank: int = 1, left_out_are_wrong: bool = False
) -> str:
    r"""The table of gait recognition papers, in Markdown and in per cent.

    Rows are the sets of probes and, within each, the runs; columns are the probe views and their
    mean. The last rows are the means over the sets of probes. Without views the columns are all
    ranks of the scores, mAP and mINP. Where there is no figure, there is a dash.

    .. code-block:: python

        print(format_recognition_table({'ST-GCN': baseline, 'GaitMixer': scores}))

    Args:
        rows (dict): For each run its name and its scores.
        rank (int, optional): The rank, if there are views. (default: :obj:`1`)
        left_out_are_wrong (bool, optional): See :class:`GalleryProbeScores`.
            (default: :obj:`False`)

    Raises:
        ValueError: If there is no row, or the rows have different sets of probes, views or, where
            all are shown, ranks.
    """
    if not rows:
        raise ValueError('a table has at least one row')
    first = next(iter(rows.values()))
    for name, scores in rows.items():
        for field in ('probe_sets', 'probe_views', *(() if first.probe_views else ('ranks',))):
            expected, found = getattr(first, field), getattr(scores, field)
            if expected != found:
                raise ValueError(f'{name!r} has the {field} {found}, expected {expected}')
    if first.probe_views:
        columns = [f'{view}°' for view in first.probe_views] + ['mean']
    else:
        columns = [f'rank-{k}' for k in first.ranks] + ['mAP', 'mINP']
    named = list(rows) != ['']
    head = ['probes', *(['model'] if named else []), *columns]
    lines = []
    values = {n: _columns(scores, rank, left_out_are_wrong) for n, scores in rows.items()}
    means = ['mean'] if len(first.probe_sets) > 1 else []
    for i, probe_set in enumerate([*first.probe_sets, *means]):
        for name, rates in values.items():
            shown = rates[i] if i < len(rates) else rates.nanmean(dim=0)
            lines.append([probe_set, *([name] if named else []), *_cells(shown)])
    return _markdown(head, lines, num_names=len(head) - len(columns))


def _columns(scores: GalleryProbeScores, rank: int, left_out_are_wrong: bool) -> Tensor:
    """What a table shows of each set of probes, [S, columns]."""
    if scores.probe_views:
        views = scores.view_accuracy(rank, left_out_are_wrong)
        return torch.cat([views, views.nanmean(dim=1, keepdim=True)], dim=1)
    ranks = [scores.accuracy(k, left_out_are_wrong) for k in scores.ranks]
    precision, penalty = scores.mean_average_precision, scores.mean_inverse_negative_penalty
    return torch.stack([*ranks, precision, penalty], dim=1)


def _cells(rates: Tensor) -> list[str]:
    return ['–' if math.isnan(rate) else f'{100 * rate:.1f}' for rate in rates.tolist()]


def _markdown(head: list[str], lines: list[list[str]], num_names: int) -> str:
    widths = [max(3, *map(len, column)) for column in zip(head, *lines)]
    rule = ['-' * w if i < num_names else '-' * (w - 1) + ':' for i, w in enumerate(widths)]
    aligned = [str.ljust if i < num_names else str.rjust for i in range(len(head))]
    return '\n'.join(
        '| ' + ' | '.join(align(c, w) for align, c, w in zip(aligned, line, widths)) + ' |'
        for line in (head, rule, *lines)
    )
