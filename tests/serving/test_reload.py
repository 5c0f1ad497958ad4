import os
import shutil
import threading

import pytest
import torch
from checkerboard import checkerboard
from fastapi.testclient import TestClient
from runs import write_checkerboard, write_run

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.serving import create_app
from lgmrec_pyg.serving.snapshot import Latest


def write_other(folder):
    r"""The checkerboard whose users like items of the other colour."""
    board = checkerboard()
    ids = board.users, board.items
    other = Recommender(board.user_emb.flip(1), board.item_emb, *ids, board.seen)
    other.save(folder / 'embeddings.safetensors')


def test_a_new_snapshot_takes_the_place_of_the_old_one(tmp_path):
    latest = Latest(write_checkerboard(tmp_path))
    old = latest.snapshot
    assert not latest.refresh()
    assert latest.snapshot is old
    write_other(tmp_path)
    assert latest.refresh()
    assert latest.snapshot is not old
    user_emb = checkerboard().user_emb
    assert torch.equal(old.ranker.user_emb, user_emb)  # Who has it can go on.
    assert torch.equal(latest.snapshot.ranker.user_emb, user_emb.flip(1))
    assert not latest.refresh()


@pytest.mark.parametrize('damage', ['garbage', 'missing', 'other items'])
def test_the_old_snapshot_stays_if_the_new_one_is_damaged(tmp_path, damage, caplog):
    write_run(tmp_path)
    latest, path = Latest(tmp_path), tmp_path / 'embeddings.safetensors'
    old = latest.snapshot
    if damage == 'garbage':
        path.write_bytes(b'garbage')
    elif damage == 'missing':
        os.remove(path)
    else:
        write_checkerboard(tmp_path)  # The graph is that of the run.
    assert not latest.refresh()
    assert latest.snapshot is old
    assert 'Keeps the old model' in caplog.text
    caplog.clear()
    assert not latest.refresh()  # Not again and again.
    assert caplog.text == ''
    write_run(tmp_path, seed=1)
    assert latest.refresh()


def test_no_error_ends_the_watch(tmp_path, monkeypatch, caplog):
    folder, aside = tmp_path / 'run', tmp_path / 'aside'
    folder.mkdir()
    latest = Latest(write_checkerboard(folder))
    folder.rename(aside)
    folder.write_text('a file in its place')
    assert not latest.refresh()
    folder.unlink()
    aside.rename(folder)
    write_other(folder)

    def fail(path):
        raise MemoryError('out of memory')

    monkeypatch.setattr(Recommender, 'load', fail)
    assert not latest.refresh()
    monkeypatch.undo()
    assert caplog.text.count('Keeps the old model') == 2
    write_checkerboard(folder)
    assert latest.refresh()


def test_a_graph_that_comes_later_serves_new_items(tmp_path):
    write_run(tmp_path)
    (later := tmp_path / 'later').mkdir()
    shutil.move(tmp_path / 'graph.safetensors', later)
    latest = Latest(tmp_path)
    assert latest.snapshot.ranker.widths == {}
    shutil.move(later / 'graph.safetensors', tmp_path)
    assert latest.refresh()
    assert set(latest.snapshot.ranker.widths) == {'image', 'text'}


def test_no_request_is_dropped_while_models_are_exchanged(tmp_path):
    write_checkerboard(tmp_path)
    found, end = [], threading.Event()
    with TestClient(create_app(tmp_path, reload_every=0.01)) as client:

        def keep_asking():
            while not end.is_set():
                response = client.post('/recommend', json={'user': 'ann', 'k': 1})
                items = response.json().get('items')
                found.append((response.status_code, items[0]['id'] if items else None))

        def wait_for(answer):
            while (200, answer) not in found[before:]:
                assert thread.is_alive()

        thread, before = threading.Thread(target=keep_asking), 0
        thread.start()
        wait_for('i2')
        for write, answer in ((write_other, 'i1'), (write_checkerboard, 'i2')) * 3:
            before = len(found)
            write(tmp_path)
            wait_for(answer)
        end.set()
        thread.join()
    assert {status for status, _ in found} == {200}
    assert {item for _, item in found} == {'i1', 'i2'}
