"""Selection of the first entries of a stable sort."""

from __future__ import annotations

from torch import Tensor


def stable_topk(values: Tensor, k: int, largest: bool = True) -> tuple[Tensor, Tensor]:
    r"""Returns the first :math:`k` values and columns of each row of a stable sort.

    Equal values are in the order of their columns, unlike in :func:`torch.topk`, and the rows are
    not sorted in full.

    Args:
        values (Tensor): Values.
        k (int): Number of values; all values of a row if it has fewer.
        largest (bool, optional): If set to :obj:`False`, the smallest values come first.
            (default: :obj:`True`)

    Shapes:
        - **values:** :math:`(C, n)`
        - **output:** :math:`(C, \min(k, n))` of both
    """
    k = min(k, values.size(1))
    top, columns = values.topk(min(k + 1, values.size(1)), largest=largest)
    kth, columns = top[:, k - 1 : k], columns[:, :k]
    if top.size(1) > k:
        tied = (kth == top[:, k:]).view(-1).nonzero().view(-1)  # columns are any of the equal ones
        rows, kth = values[tied], kth[tied]
        before = rows > kth if largest else rows < kth
        equal = rows == kth
        missing = k - before.sum(dim=1, keepdim=True)
        selected = before | (equal & (equal.cumsum(dim=1) <= missing))
        columns[tied] = selected.nonzero()[:, 1].view(-1, k)
    columns = columns.sort(dim=1).values
    values, order = values.gather(1, columns).sort(dim=1, descending=largest, stable=True)
    return values, columns.gather(1, order)
