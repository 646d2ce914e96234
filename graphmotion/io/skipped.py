"""Counted warnings for samples that cannot be read."""

from __future__ import annotations

import warnings


class SkippedSamples:
    r"""Counts skipped samples by reason and reports them in a single warning.

    .. code-block:: python

        skipped = SkippedSamples('my dataset')
        sizes = {'walk': 3, 'run': 10}
        for name, size in sizes.items():
            if size == 0:
                skipped.add('empty', name)
        skipped.report(total=len(sizes))

    Args:
        source (str): What is being read; the first word of the message.
        what (str, optional): Noun for what is counted. (default: :obj:`"samples"`)
    """

    def __init__(self, source: str, what: str = 'samples') -> None:
        self.source = source
        self.what = what
        self._names: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return sum(len(names) for names in self._names.values())

    def add(self, reason: str, name: str) -> None:
        r"""Counts the sample :obj:`name`, skipped for :obj:`reason`."""
        self._names.setdefault(reason, []).append(name)

    def report(self, total: int) -> None:
        r"""Warns if any of :obj:`total` samples were skipped.

        Raises:
            ValueError: If there are no samples or all of them were skipped.
        """
        if not total:
            raise ValueError(f'{self.source}: no {self.what} found')
        if not len(self):
            return
        reasons = '; '.join(
            f'{len(names)} {reason} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
            for reason, names in self._names.items()
        )
        if len(self) == total:
            raise ValueError(f'{self.source}: all {total} {self.what} were skipped: {reasons}')
        warnings.warn(
            f'{self.source}: skipped {len(self)} of {total} {self.what}: {reasons}', stacklevel=2
        )
