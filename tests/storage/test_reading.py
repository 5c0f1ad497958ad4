import json
import re

import pytest

from lgmrec_pyg.storage import reading


@pytest.mark.parametrize('content', ['', '{', '[1]', '{"epochs": "many"}', '\0'])
def test_whatever_goes_wrong_names_the_file(tmp_path, content):
    path = tmp_path / 'run.json'
    path.write_text(content)
    needs = re.escape(f"'{path}' needs to be a record of a run (")
    with (
        pytest.raises(ValueError, match=needs),
        reading(path, 'a record of a run'),
        open(path) as file,
    ):
        int(json.load(file)['epochs'])


def test_a_missing_file_is_a_missing_file(tmp_path):
    path = tmp_path / 'run.json'
    with pytest.raises(FileNotFoundError, match=r'run\.json'), reading(path, 'any'):
        path.read_text()


def test_an_error_of_the_system_without_a_name_gets_one(tmp_path):
    with pytest.raises(ValueError, match=r'run\.json'), reading('run.json', 'any'):
        raise OSError('truncated')
