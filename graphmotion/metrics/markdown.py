"""Tables as text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[str] | None = None
) -> str:
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
        left (collection of str, optional): Headings of the columns that are aligned to the left;
            the others are aligned to the right. By default, only the first column is aligned to
            the left. (default: :obj:`None`)

    Raises:
        ValueError: If a row does not have one cell per column.
    """
    is_left = [i == 0 if left is None else name in left for i, name in enumerate(head)]
    head, *lines = align_columns([head, *rows], is_left, min_width=3)
    widths = [len(cell) for cell in head]
    rule = ['-' * w if is_text else '-' * (w - 1) + ':' for w, is_text in zip(widths, is_left)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in (head, rule, *lines))


def align_columns(
    lines: Iterable[Sequence[str]], is_left: Sequence[bool], min_width: int = 0
) -> list[list[str]]:
    """Pads the cells of each column to one width; columns are aligned to the left or right."""
    columns = []
    for column, left in zip(zip(*lines, strict=True), is_left, strict=True):
        width = max(min_width, *map(len, column))
        columns.append([cell.ljust(width) if left else cell.rjust(width) for cell in column])
    return [list(line) for line in zip(*columns)]
