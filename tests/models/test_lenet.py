"""The classifier of digits."""

import pytest
import torch

from infobound.models.classifiers.lenet import LeNet


@pytest.mark.parametrize("channels", [(), (3,), (3, 5)])
def test_every_image_has_a_logit_for_each_class(channels: tuple[int, ...]) -> None:
    assert LeNet(28, 10, channels=channels, hidden=4)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_images_too_small_to_be_pooled_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^channels must be fewer for images of this size, got \[3, 3, 3\]"
    ):
        LeNet(28, 10, channels=(3, 3, 3), hidden=4)
