"""The count of samples that a reader could not use."""

from __future__ import annotations

import warnings


class SkippedSamples:
    r"""Counts samples that are left out, by reason, and reports them in one warning.

    .. code-block:: python

        skipped = SkippedSamples('my dataset')
        for name in names:
            if broken(name):
                skipped.add('empty', name)
        skipped.report(total=len(names))

    Args:
        source (str): What is being read; opens the message.
        what (str, optional): What is counted. (default: :obj:`"samples"`)
    """

    def __init__(self, source: str, what: str = 'samples') -> None:
        self.source = source
        self.what = what
        self._names: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return sum(len(names) for names in self._names.values())

    def add(self, reason: str, name: str) -> None:
        r"""Count the sample :obj:`name`, left out for :obj:`reason`."""
        self._names.setdefault(reason, []).append(name)

    def report(self, total: int) -> None:
        r"""Warn once of all that was left out of :obj:`total` samples, if anything was.

        Raises:
            ValueError: If nothing is left.
        """
        if not total:
            raise ValueError(f'{self.source}: there is no sample in it')
        if not len(self):
            return
        reasons = '; '.join(
            f'{len(names)} {reason} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
            for reason, names in self._names.items()
        )
        if len(self) == total:
            raise ValueError(
                f'{self.source}: none of its {total} {self.what} can be used: {reasons}'
            )
        warnings.warn(
            f'{self.source}: skipped {len(self)} of {total} {self.what}: {reasons}', stacklevel=2
        )
