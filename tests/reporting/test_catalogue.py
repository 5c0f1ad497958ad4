import base64
import io

import pandas as pd
import pytest

from lgmrec_pyg.reporting import Catalogue
from lgmrec_pyg.reporting.catalogue import Entry, thumbnail

Image = pytest.importorskip('PIL.Image')


@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_read_and_save(tmp_path, ending):
    frame = pd.DataFrame(
        {
            'sku': ['007', 'b'],
            'image': ['pictures/7.png', ''],
            'title': ['Größe "L", <b>', 'second\nline'],
        }
    )
    path = tmp_path / f'items.{ending}'
    if ending == 'csv':
        frame.to_csv(path, index=False)
    else:
        pytest.importorskip('pyarrow')
        frame.to_parquet(path)
    out = Catalogue.read(path, item='sku')
    assert len(out) == 2
    image = str(tmp_path / 'pictures/7.png')
    assert out['007'] == Entry('007', 'Größe "L", <b>', image)
    assert out['b'] == Entry('b', 'second\nline', '')
    assert out['other'] == Entry('other')
    (tmp_path / 'run').mkdir()
    out.save(tmp_path / 'run')
    again = Catalogue.of_run(tmp_path / 'run')
    assert [again[x] for x in ('007', 'b')] == [out[x] for x in ('007', 'b')]
    assert len(Catalogue.of_run(tmp_path)) == 0


def test_integer_ids(tmp_path):
    (tmp_path / 'items.csv').write_text('id,title\n12,twelve\n')
    assert Catalogue.read(tmp_path / 'items.csv')[12].title == 'twelve'


@pytest.mark.parametrize('text', ['', 'id\n1\n', 'sku,title\n1,a\n', 'id,title\n"1'])
def test_other_tables_are_refused(tmp_path, text):
    path = tmp_path / 'items.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=r"items\.csv' needs to be a table of items"):
        Catalogue.read(path)


def test_thumbnails_are_small_pictures(tmp_path):
    path = tmp_path / 'large.png'
    Image.new('RGBA', (900, 300), (200, 10, 10, 128)).save(path)
    head, text = thumbnail(str(path)).split(',')
    assert head == 'data:image/jpeg;base64'
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert (image.format, image.size) == ('JPEG', (96, 32))


@pytest.mark.parametrize(
    'content', [None, b'', b'root:x:0:0', b'<svg onload=alert(1)>']
)
def test_what_is_no_picture_is_left_out(tmp_path, content):
    path = tmp_path / 'x.png'
    if content is not None:
        path.write_bytes(content)
    assert thumbnail(str(path)) is None
    assert thumbnail(str(tmp_path)) is None
    assert thumbnail('http://localhost/x.png') is None
