import re
from pathlib import Path

import numpy as np
import pytest
from amazon_files import NUM_FEATURES, write_images
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.datasets.amazon.image_features import (
    BLOCK_SIZE,
    convert_image_features,
    find_image_features_problem,
)


def convert(path: Path, asins: list[str]) -> tuple[int, np.ndarray]:
    target = path.parent / 'image_feat.npy'
    count = convert_image_features(str(path), str(target), asins, progress=False)
    return count, np.load(target, allow_pickle=False)


def test_convert_image_features(tmp_path: Path) -> None:
    # More than one block, in another order than the items:
    asins = [f'B{i:09d}' for i in range(2 * BLOCK_SIZE + 3)]
    images = write_images(tmp_path / 'a.b', asins[::-1])
    items = [*asins[::7], 'B999999999', asins[1]]
    count, x = convert(tmp_path / 'a.b', items)
    assert count == len(items) - 1
    assert x.dtype == np.float32
    assert x.shape == (len(items), NUM_FEATURES)
    for row, asin in zip(x, items, strict=True):
        expected = images.get(asin, np.full(NUM_FEATURES, np.nan))
        np.testing.assert_array_equal(row, expected)


@given(st.lists(st.integers(0, 5), max_size=6, unique=True), st.permutations(range(4)))
@settings(max_examples=15, deadline=None)
def test_convert_image_features_properties(
    tmp_path_factory: pytest.TempPathFactory, items: list[int], order: list[int]
) -> None:
    path = tmp_path_factory.mktemp('images') / 'a.b'
    images = write_images(path, [f'B{i:09d}' for i in order])
    count, x = convert(path, [f'B{i:09d}' for i in items])
    assert count == sum(i < 4 for i in items)
    assert [bool(np.isnan(row).all()) for row in x] == [i >= 4 for i in items]
    for row, i in zip(x, items, strict=True):
        if i < 4:
            np.testing.assert_array_equal(row, images[f'B{i:09d}'])


def test_convert_image_features_keeps_the_first_of_repeated_records(
    tmp_path: Path,
) -> None:
    write_images(tmp_path / 'a.b', ['B000000001'])
    first = (tmp_path / 'a.b').read_bytes()
    write_images(tmp_path / 'a.b', ['B000000001'], seed=1)
    (tmp_path / 'a.b').write_bytes(first + (tmp_path / 'a.b').read_bytes())
    _, x = convert(tmp_path / 'a.b', ['B000000001'])
    assert x.tobytes() == first[10:]


def test_convert_image_features_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / 'a.b'
    asins = [f'B{i:09d}' for i in range(70)]
    write_images(path, asins)
    content, size = path.read_bytes(), 10 + 4 * NUM_FEATURES
    nan = np.array(np.nan, dtype='<f4').tobytes()
    damages = {
        'record 69 is incomplete': content[:-1],
        "record 66 starts with b'000066": content[: 66 * size]
        + content[66 * size + 4 :],
        "record 0 starts with b'<html>": b'<html>' + content,
        'record 1 holds numbers that are not finite': (
            content[: size + 10] + nan + content[size + 14 :]
        ),
    }
    for message, damaged in damages.items():
        path.write_bytes(damaged)
        pattern = rf"a\.b' is damaged \({re.escape(message)}.*\): delete it"
        with pytest.raises(ValueError, match=pattern):
            convert(path, asins)


def test_find_image_features_problem(tmp_path: Path) -> None:
    path = tmp_path / 'a.b'
    write_images(path, ['B000000001', 'B000000002'])
    content = path.read_bytes()
    assert find_image_features_problem(str(path)) is None
    for damaged, message in [
        (b'', '0 bytes are no multiple of 16,394'),
        (content[:-9], '32,779 bytes are no multiple'),
        (b'<' + content[1:], "it starts with b'<0"),
    ]:
        path.write_bytes(damaged)
        assert (find_image_features_problem(str(path)) or '').startswith(message)
