import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lgmrec_pyg.encoders import ImageEncoder, encode
from lgmrec_pyg.encoders.image import open_image

PIL = pytest.importorskip('PIL.Image')


def draw(size: tuple[int, int] = (40, 30), angle: int = 0) -> Any:
    return PIL.linear_gradient('L').rotate(angle).resize(size).convert('RGB')


def jpeg(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, 'JPEG')
    return out.getvalue()


@pytest.fixture
def timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs 'timm' and a fitting 'torchvision' ({error})")
    return timm


def test_open_image(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    for mode in ['L', 'P', 'RGBA', 'RGB', '1']:
        draw().convert(mode).save(path)
        for source in [path, str(path), PIL.open(path)]:
            image = open_image(source)
            assert (image.mode, image.size) == ('RGB', (40, 30))


SHADES = np.array([[0, 128, 257, 32896, 65535]], dtype=np.uint16)


@pytest.mark.parametrize('form', ['I;16', 'I;16B', 'I', 'PNG', 'TIFF', 'PPM'])
def test_open_image_with_shades_in_16_bits(form: str) -> None:
    dtype = {'I;16B': '>u2', 'I': np.int32}.get(form, '<u2')
    mode = form if form.startswith('I') else 'I;16'
    shades = SHADES.astype(dtype).tobytes()
    image: Any = PIL.frombytes(mode, (5, 1), shades, 'raw', mode)
    if mode != form:
        file = io.BytesIO()
        image.save(file, form)
        image = file.getvalue()
    out = open_image(image)
    assert out.mode == 'RGB'
    expected = np.array([0, 0, 1, 128, 255])[None, :, None].repeat(3, axis=2)
    assert np.array_equal(np.asarray(out), expected)


@pytest.mark.parametrize(
    ('mode', 'value', 'reason'),
    [('F', 0.5, 'no given range'), ('I', 2**16, 'exceed'), ('I', -1, 'exceed 16 bits')],
)
def test_open_image_without_a_range(mode: str, value: float, reason: str) -> None:
    image = PIL.new(mode, (2, 2), value)
    with pytest.raises(ValueError, match=f'needs to be a readable image .*{reason}'):
        open_image(image)


def test_open_image_of_bytes(tmp_path: Path) -> None:
    content = jpeg(draw())
    (tmp_path / 'a.jpg').write_bytes(content)
    assert open_image(content) == open_image(tmp_path / 'a.jpg')
    with pytest.raises(ValueError, match='needs to be a readable image'):
        open_image(content[:100])
    (tmp_path / 'a.jpg').write_bytes(content[:-50])
    with PIL.open(tmp_path / 'a.jpg') as image:
        message = re.escape(f"'{tmp_path / 'a.jpg'}' needs to be a readable image (")
        with pytest.raises(ValueError, match=message):
            open_image(image)


def test_open_image_names_damaged_files(tmp_path: Path) -> None:
    path, messages = tmp_path / 'a', []
    for form in ['PNG', 'GIF', 'WEBP']:
        file = io.BytesIO()
        draw((8, 8)).save(file, form)
        for place in range(len(file.getvalue())):
            content = bytearray(file.getvalue())
            content[place] ^= 255
            path.write_bytes(content)
            try:  # Some formats do not notice wrong colors.
                open_image(path)
            except ValueError as error:
                messages.append(str(error))
    assert len(messages) > 100
    assert all(message.startswith(f"'{path}' needs to be") for message in messages)


class Pixels(nn.Linear):
    num_features = 2


def test_image_encoder_name_is_that_of_now(tmp_path: Path) -> None:
    model = Pixels(3, 2)
    encoder, cache = ImageEncoder(model), tmp_path / 'a.sqlite'
    encoder.__dict__['_loaded'] = (model, Transform())
    images = [PIL.new('RGB', (1, 1), color) for color in ('red', 'blue')]
    for _ in range(3):
        x = encode(images, encoder, cache=cache, progress=False)
        assert torch.equal(x, encoder(images))
        name = encoder.name
        with torch.no_grad():
            model.weight += 1
        assert encoder.name != name


class Transform:
    def __call__(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).astype(np.float32)).mean((0, 1))

    def __str__(self) -> str:
        return 'Transform()'


def test_open_image_errors(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    content = jpeg(draw())
    for damaged in [b'', b'<html>', content[:20], content[: len(content) // 2]]:
        path.write_bytes(damaged)
        message = f"'{path}' needs to be a readable image ("
        with pytest.raises(ValueError, match=re.escape(message)):
            open_image(path)
    with pytest.raises(FileNotFoundError, match='missing'):
        open_image(tmp_path / 'missing.jpg')


def test_image_encoder_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'timm', None)
    encoder = ImageEncoder()
    assert str(encoder) == "ImageEncoder('resnet50')"
    with pytest.raises(ImportError, match=r'fits PyTorch .*: pip install timm'):
        encoder([draw()])


def test_image_encoder(timm: Any, tmp_path: Path) -> None:
    model = timm.create_model('resnet18', pretrained=False, num_classes=0)
    encoder = ImageEncoder(model, batch_size=2)
    paths = [tmp_path / f'{i}.jpg' for i in range(3)]
    for i, path in enumerate(paths):
        draw((300, 280), 90 * i).save(path)
    x = encoder([*paths, PIL.open(paths[0])])
    assert x.size() == (4, 512)
    assert torch.equal(x[0], x[3])
    assert not torch.equal(x[0], x[1])
    assert not x.requires_grad
    torch.testing.assert_close(encoder(paths[1:2]), x[1:2], atol=1e-5, rtol=1e-5)
    assert encoder([]).size() == (0, 512)

    cache = str(tmp_path / 'a.sqlite')
    y = encode(paths, encoder, cache=cache, progress=False)
    torch.testing.assert_close(y, x[:3], atol=1e-5, rtol=1e-5)
    other = timm.create_model('resnet18', pretrained=False, num_classes=0)
    assert ImageEncoder(other).name != encoder.name == ImageEncoder(model).name
    (tmp_path / '1.jpg').write_bytes(b'<html>')
    with pytest.raises(ValueError, match=r"1\.jpg' needs to be a readable image"):
        encoder(paths)
