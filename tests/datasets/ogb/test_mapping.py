import gzip
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.ogb import load, save

TEXT = st.text(
    st.characters(exclude_categories=['Cs'], exclude_characters='\0')
    | st.sampled_from('",\n\r 0123456789'),
    min_size=1,
    max_size=8,
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(ids=st.lists(TEXT, unique=True) | st.lists(INTEGERS, unique=True))
@settings(max_examples=200, deadline=None)
def test_ids_are_read_as_they_were_written(ids):
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 1, len(ids)
    data['item'].ids = ids
    with tempfile.TemporaryDirectory() as folder:
        save._write_mapping(data, folder)
        path = f'{folder}/mapping/item_entidx2name.csv.gz'
        out = load._read_ids(path, len(ids))
    assert out == ids
    assert list(map(type, out)) == list(map(type, ids))


def write(path, text: str) -> str:
    with gzip.open(path, 'wt') as file:
        file.write('ent idx,ent name\n' + text)
    return str(path)


def test_read_ids_takes_any_order_of_rows(tmp_path):
    path = write(tmp_path / 'a.csv.gz', '1,DB2\n0,DB1\n2,7\n')
    assert load._read_ids(path, 3) == ['DB1', 'DB2', '7']


@pytest.mark.parametrize(
    'text',
    [
        '0,a\n2,b\n',
        '0,a\n1,a\n',
        '0,a\n0,b\n',
        '0,a\nb\n',
        '0,a\n1\n',
        '0,a\n',
        '0,a\n1,b\n2,c\n',
    ],
)
def test_read_ids_refuses_malformed_files(tmp_path, text):
    path = write(tmp_path / 'user.csv.gz', text)
    with pytest.raises(ValueError, match=r"user.csv.gz' needs to be a map of 2 ind"):
        load._read_ids(path, 2)


def test_read_ids_refuses_incomplete_files(tmp_path):
    path = write(tmp_path / 'user.csv.gz', '0,a\n1,b\n')
    content = (tmp_path / 'user.csv.gz').read_bytes()
    (tmp_path / 'user.csv.gz').write_bytes(content[:-12])
    with pytest.raises(ValueError, match=r"user.csv.gz' needs to be a map of 2 ind"):
        load._read_ids(path, 2)


@pytest.mark.parametrize(
    'content',
    [
        b'ent idx,ent name\n0,a\n',
        gzip.compress(b'ent idx,ent name\n0,\xed\xa0\x80\n1,b\n', mtime=0),
        gzip.compress(b'ent idx,ent name\n0,a\n1,b\n', mtime=0)[:-8] + b'wrong sum',
    ],
)
def test_read_ids_refuses_damaged_files(tmp_path, content):
    path = tmp_path / 'user.csv.gz'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"user.csv.gz' needs to be a map of 2 ind"):
        load._read_ids(str(path), 2)
