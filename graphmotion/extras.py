"""Packages that only an extra of graphmotion installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def requires_extra(name: str) -> Iterator[None]:
    r"""Names the extra to install if an import inside fails.

    .. code-block:: python

        with requires_extra('io'):
            import h5py

    Args:
        name (str): The extra, as in :obj:`setup.cfg`.

    Raises:
        ImportError: If an import fails; the message holds the command that installs the extra.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{error}; in a clone of graphmotion, install it by: pip install -e '.[{name}]'",
            name=error.name,
        ) from error
