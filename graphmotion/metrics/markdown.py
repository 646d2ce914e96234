"""Tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], num_left: int = 1) -> str:
    r"""Returns a Markdown table whose columns are also aligned as plain text.

    .. code-block:: python

        >>> print(markdown_table(['model', 'top-1'], [['ST-GCN', '81.5'], ['SpaGNN', '9.0']]))
        | model  | top-1 |
        | ------ | ----: |
        | ST-GCN |  81.5 |
        | SpaGNN |   9.0 |

    Args:
        head (sequence of str): Heading of each column.
        rows (iterable): Cells of each row.
        num_left (int, optional): Number of columns aligned to the left; the columns after them are
            aligned to the right. (default: :obj:`1`)

    Raises:
        ValueError: If a row does not have one cell per column.
    """
    head, *lines = align_columns([head, *rows], num_left, min_width=3)
    widths = [len(cell) for cell in head]
    rule = ['-' * w if i < num_left else '-' * (w - 1) + ':' for i, w in enumerate(widths)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in (head, rule, *lines))


def align_columns(
    lines: Iterable[Sequence[str]], num_left: int = 1, min_width: int = 0
) -> list[list[str]]:
    """Pads the cells of each column to one width; the first columns are aligned to the left."""
    columns = []
    for i, column in enumerate(zip(*lines, strict=True)):
        width = max(min_width, *map(len, column))
        pad = str.ljust if i < num_left else str.rjust
        columns.append([pad(cell, width) for cell in column])
    return [list(line) for line in zip(*columns)]
