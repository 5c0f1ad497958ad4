import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

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
