import io
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lgmrec_pyg.storage.digest import digest

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_UINT16 = 2**16 - 1


class ImageEncoder:
    r"""Encodes images by a vision model of :obj:`timm`, as the pooled features
    before its classifier.

    The model is loaded when it is first used, and its weights are downloaded if
    needed. Images are resized and normalized as the model was trained.

    Args:
        model (str or torch.nn.Module, optional): The name of the model, or the
            model itself, created with :obj:`num_classes=0`.
            (default: :obj:`"resnet50"`)
        batch_size (int, optional): The number of images to encode at once.
            (default: :obj:`32`)
        device (str, optional): The device to run the model on.
            (default: :obj:`"cpu"`)

    Shapes:
        - **input:** a list of :math:`N` paths, contents of files or PIL images
        - **output:** features :math:`(N, F)`, with :math:`F = 2048` by default

    Raises:
        ImportError: If :obj:`timm` is not installed.
        ValueError: If an image cannot be read, naming its path.
    """

    takes_paths = True

    def __init__(
        self,
        model: str | nn.Module = 'resnet50',
        batch_size: int = 32,
        device: torch.device | str = 'cpu',
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.device = torch.device(device)

    @property
    def name(self) -> str:
        r"""What tells the model apart as it is now, which is its weights and
        its transformation.
        """
        model, transform = self._loaded
        return f'timm:{digest(model)}:{" ".join(str(transform).split())}'

    @torch.no_grad()
    def __call__(self, images: list[Any]) -> Tensor:
        model, transform = self._loaded
        model.eval()
        out = [torch.empty(0, model.num_features)]
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            x = torch.stack([transform(open_image(image)) for image in batch])
            out.append(model(x.to(self.device)).float().cpu())
        return torch.cat(out)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        try:
            import timm
        except (ImportError, RuntimeError) as error:  # Of a misfit torchvision.
            raise ImportError(
                f"'ImageEncoder' needs 'timm', and a 'torchvision' that fits "
                f'PyTorch {torch.__version__}: pip install timm ({error})'
            ) from error

        model: Any = self.model
        if isinstance(model, str):
            model = timm.create_model(model, pretrained=True, num_classes=0)
        config = timm.data.resolve_model_data_config(model)
        transform = timm.data.create_transform(**config, is_training=False)
        return model.to(self.device), transform

    def __repr__(self) -> str:
        name = self.model if isinstance(self.model, str) else type(self.model).__name__
        return f'{self.__class__.__name__}({name!r})'


def open_image(image: 'str | os.PathLike[str] | bytes | Image') -> 'Image':
    r"""Returns an image with the channels red, green and blue, of 8 bits each.
    Shades of gray in 16 bits are scaled to them.
    """
    import PIL.Image

    try:
        if isinstance(image, PIL.Image.Image):
            return _as_rgb(image)
        file = io.BytesIO(image) if isinstance(image, bytes) else image
        with PIL.Image.open(file) as opened:
            return _as_rgb(opened)
    except FileNotFoundError:
        raise
    except Exception as error:  # Of many types, by format.
        name = getattr(image, 'filename', '') or repr(image)[:50]
        name = os.fspath(image) if isinstance(image, (str, os.PathLike)) else name
        raise ValueError(f"'{name}' needs to be a readable image ({error})") from error


def _as_rgb(image: 'Image') -> 'Image':
    import PIL.Image

    if image.mode == 'F':
        raise ValueError("its values of mode 'F' have no given range")
    if image.mode.startswith('I'):  # PIL would take every value above 255 for white.
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > MAX_UINT16:
            raise ValueError(f"its values of mode '{image.mode}' exceed 16 bits")
        image = PIL.Image.fromarray(np.rint(values / 257).astype(np.uint8))
    return image.convert('RGB')
