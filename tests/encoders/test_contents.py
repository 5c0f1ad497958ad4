from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from bag_of_words import BagOfWords
from torch import Tensor

from lgmrec_pyg.encoders import encode


def test_encode_paths_and_bytes(tmp_path: Path) -> None:
    def encoder(contents: list[Any]) -> Tensor:
        sizes.append(len(contents))
        return torch.tensor(
            [
                [float(len(c if isinstance(c, bytes) else c.read_bytes()))]
                for c in contents
            ]
        )

    sizes: list[int] = []
    encoder.name = 'size'  # type: ignore[attr-defined]
    cache = str(tmp_path / 'a.sqlite')
    paths = [tmp_path / name for name in 'abc']
    for path, content in zip(paths, [b'12', b'12', b'345'], strict=True):
        path.write_bytes(content)
    x = encode([*paths, b'12'], encoder, cache=cache, progress=False)
    assert x.flatten().tolist() == [2, 2, 3, 2]
    assert sizes == [2]
    # The content counts, not the path:
    paths[2].write_bytes(b'6789')
    x = encode(paths, encoder, cache=cache, progress=False)
    assert x.flatten().tolist() == [2, 2, 4]
    assert sizes == [2, 1]
    with pytest.raises(ValueError, match=r'1 of 1 contents cannot .*/missing'):
        encode([tmp_path / 'missing'], encoder)


def test_encode_images() -> None:
    image = pytest.importorskip('PIL.Image')
    red, blue = image.new('RGB', (2, 3), 'red'), image.new('RGB', (2, 3), 'blue')
    palette = red.convert('P')
    other_palette = palette.copy()
    other_palette.putpalette([0, 0, 255] * 256)
    images = [red, blue, red.copy(), image.new('RGB', (3, 2), 'red')]
    images += [palette, other_palette, palette.copy()]
    counts = []

    def encoder(contents: list[Any]) -> Tensor:
        counts.append(len(contents))
        return torch.tensor([c.convert('RGB').getpixel((0, 0)) for c in contents])

    x = encode(images, encoder, progress=False)
    assert counts == [5]
    blues = x[:, 2].gt(0).tolist()
    assert blues == [False, True, False, False, False, True, False]


@pytest.mark.parametrize(
    'contents',
    ['hello', b'hello', Path('hello'), {'b', 'a'}, 3, pd.DataFrame({'text': ['a']})],
)
def test_encode_of_a_single_content(contents: Any) -> None:
    kind = type(contents).__name__
    with pytest.raises(
        ValueError, match=rf"'contents' needs to be a list .*\(got {kind}"
    ):
        encode(contents, BagOfWords())


@pytest.mark.parametrize('kind', [tuple, iter, pd.Series, np.array, dict.fromkeys])
def test_encode_of_any_sequence(kind: Any) -> None:
    contents = kind(['a b', 'c'])
    contents = contents.keys() if isinstance(contents, dict) else contents
    x = encode(contents, BagOfWords(), progress=False)
    assert torch.equal(x, BagOfWords()(['a b', 'c']))
