"""The common shape of scores."""

import pytest
import torch

from infobound.models.critics.scores import from_matrix


@pytest.mark.parametrize("size", [2, 3, 8])
def test_all_pairs_are_laid_out_by_their_definition(size: int) -> None:
    matrix = torch.arange(float(size * size)).view(size, size)
    joint, product = from_matrix(matrix)
    assert joint.tolist() == [matrix[i, i].item() for i in range(size)]
    assert product.tolist() == [
        [matrix[i, (i + k + 1) % size].item() for k in range(size - 1)] for i in range(size)
    ]


def test_every_pair_gets_its_own_gradient_once() -> None:
    matrix = torch.randn(5, 5, requires_grad=True)
    joint, product = from_matrix(matrix)
    (joint.sum() + 2 * product.sum()).backward()
    assert matrix.grad is not None
    assert torch.equal(matrix.grad, 2 - torch.eye(5))


def test_all_pairs_of_one_row_are_refused() -> None:
    with pytest.raises(ValueError, match="batch of at least 2 rows, got 1"):
        from_matrix(torch.zeros(1, 1))


def test_scores_of_unequal_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="x and y must have the same number of rows, got 4 and 5"):
        from_matrix(torch.zeros(4, 5))


def test_scores_first_made_in_inference_mode_can_be_trained_on_later() -> None:
    with torch.inference_mode():
        from_matrix(torch.zeros(19, 19))
    matrix = torch.zeros(19, 19, requires_grad=True)
    from_matrix(matrix).product.sum().backward()
    assert matrix.grad is not None
    assert matrix.grad.sum() == 19 * 18
