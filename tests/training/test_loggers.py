import json
import struct
import sys

import pytest
from small_runs import Validate, run

from lgmrec_pyg.training import (
    Callback,
    Logger,
    MLflowLogger,
    TensorBoardLogger,
    WandbLogger,
)

SETTINGS = {'embedding_dim': 4, 'feature_dims': {'image': 4}}


class Keep(Logger):
    def __init__(self):
        super().__init__()
        self.kept = []

    def write(self, values, epoch):
        self.kept += [(epoch, name, x) for name, x in values.items()]


def curve(kept, name):
    return [(epoch, x) for epoch, key, x in kept if key == name]


def expected(course):
    losses = [(i + 1, x['total']) for i, x in enumerate(course['losses'])]
    metrics = [x['Recall@20'] for x in course['metrics']]
    return losses, list(zip(course['eval_epochs'], metrics, strict=True))


def test_a_logger_gets_every_value_once():
    log = Keep()
    _, course, _ = run(epochs=5, eval_every=2, callbacks=[log])
    losses, metrics = expected(course)
    assert curve(log.kept, 'loss/total') == losses
    assert curve(log.kept, 'val/Recall@20') == metrics
    assert course['eval_epochs'] == [2, 4, 5]  # The last one, after its epoch's end.
    terms = {name for _, name, _ in log.kept if name.startswith('loss/')}
    assert terms == {f'loss/{name}' for name in course['losses'][0]}
    seconds = [x for _, name, x in log.kept if name.startswith('seconds/')]
    assert len(seconds) == 5 + 3
    assert min(seconds) > 0


def test_a_resumed_run_is_logged_once(tmp_path):
    path = tmp_path / 'run.safetensors'
    first, second = Keep(), Keep()
    run(epochs=3, checkpoint=path, callbacks=[first])
    _, course, _ = run(epochs=6, checkpoint=path, resume=True, callbacks=[second])
    losses, metrics = expected(course)
    assert len(losses) == 6
    assert curve(first.kept + second.kept, 'loss/total') == losses
    assert curve(first.kept + second.kept, 'val/Recall@20') == metrics


def test_callbacks_are_called_in_order(tmp_path):
    class Record(Callback):
        def __init__(self):
            self.calls = []

        def on_fit_start(self, history):
            self.calls.append(('start', history.epochs_run))

        def on_epoch_end(self, history):
            self.calls.append(('epoch', history.epochs_run))

        def on_fit_end(self, history):
            self.calls.append(('end', history.stopped_by))

    record, path = Record(), tmp_path / 'run.safetensors'
    run(epochs=2, checkpoint=path, callbacks=[record])
    run(epochs=3, checkpoint=path, resume=True, callbacks=[record])
    ends = [('epoch', 2), ('end', 'epochs'), ('start', 2), ('epoch', 3)]
    assert record.calls == [('start', 0), ('epoch', 1), *ends, ('end', 'epochs')]


def test_tensorboard_reads_what_was_logged(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLogger(tmp_path, SETTINGS)
    _, course, _ = run(epochs=4, eval_every=3, callbacks=[log])
    events = EventAccumulator(str(tmp_path), {'scalars': 0, 'tensors': 0})
    events.Reload()
    losses, metrics = expected(course)
    for name, values in {'loss/total': losses, 'val/Recall@20': metrics}.items():
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert [step for step, _ in found] == [epoch for epoch, _ in values]
        assert [x for _, x in found] == pytest.approx([x for _, x in values], rel=1e-6)
    (text,) = events.Tensors('settings/text_summary')
    (text,) = text.tensor_proto.string_val
    assert json.loads(text.decode().strip('`\n')) == SETTINGS


def test_mlflow_reads_what_was_logged(tmp_path, monkeypatch):
    mlflow = pytest.importorskip('mlflow')
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    place = tmp_path.as_uri()
    for name in ('first', 'second'):
        log = MLflowLogger(SETTINGS, 'shop', name, place)
        _, course, _ = run(epochs=4, eval_every=3, callbacks=[log])
    client = mlflow.MlflowClient(place)
    number = client.get_experiment_by_name('shop').experiment_id
    runs = {x.info.run_name: x for x in client.search_runs([number])}
    assert runs.keys() == {'first', 'second'}
    found = runs['second']
    assert found.info.status == 'FINISHED'
    assert found.data.params == {name: str(x) for name, x in SETTINGS.items()}
    assert found.data.tags['stopped_by'] == 'epochs'
    losses, metrics = expected(course)
    for name, values in {'loss/total': losses, 'val/Recall_at_20': metrics}.items():
        history = client.get_metric_history(found.info.run_id, name)
        assert [(x.step, x.value) for x in history] == values
    best = max(x for _, x in metrics)
    assert found.data.metrics['best/Recall_at_20'] == pytest.approx(best)


def fail():
    raise RuntimeError('out of memory')


def test_mlflow_ends_runs_that_failed_and_goes_on_with_them(tmp_path, monkeypatch):
    mlflow = pytest.importorskip('mlflow')
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    place, path = (tmp_path / 'runs').as_uri(), tmp_path / 'run.safetensors'
    given = {'epochs': 4, 'checkpoint': path, 'resume': True}
    log = MLflowLogger(SETTINGS, 'shop', tracking_uri=place)
    with pytest.raises(RuntimeError):
        run(Validate(3, fail), callbacks=[log], **given)
    client = mlflow.MlflowClient(place)
    found = client.get_run(log.run_id)
    assert (found.info.status, found.data.tags['stopped_by']) == (
        'FAILED',
        'RuntimeError',
    )
    other = MLflowLogger(SETTINGS, 'shop', tracking_uri=place, run_id=log.run_id)
    _, course, _ = run(callbacks=[other], **given)
    assert client.get_run(log.run_id).info.status == 'FINISHED'
    history = client.get_metric_history(log.run_id, 'loss/total')
    assert [(x.step, x.value) for x in history] == expected(course)[0]
    number = client.get_experiment_by_name('shop').experiment_id
    assert len(client.search_runs([number])) == 1


def test_a_run_of_wandb_ends_with_its_error(tmp_path):
    pytest.importorskip('wandb')
    given = {'project': 'shop', 'dir': str(tmp_path), 'mode': 'offline'}
    logs = [WandbLogger({'lr': lr}, **given) for lr in (1, 2)]
    with pytest.raises(RuntimeError):
        run(Validate(2, fail), callbacks=logs[:1])
    run(epochs=1, callbacks=logs[1:])
    assert logs[0].run.id != logs[1].run.id
    assert logs[1].run.config['lr'] == 2


def records_of(content):
    r"""The records of a log in the format of LevelDB, after seven bytes of W&B."""
    place, parts = 7, []
    while place < len(content):
        if 2**15 - place % 2**15 < 7:  # No head fits into the rest of a block.
            place += 2**15 - place % 2**15
        _, size, kind = struct.unpack('<IHB', content[place : place + 7])
        parts.append(content[place + 7 : place + 7 + size])
        place += 7 + size
        if kind in (1, 4):  # A whole record, or the last part of one.
            yield b''.join(parts)
            parts = []


def test_wandb_reads_what_was_logged(tmp_path):
    pytest.importorskip('wandb')
    from wandb.proto import wandb_internal_pb2

    log = WandbLogger(SETTINGS, project='shop', dir=str(tmp_path), mode='offline')
    _, course, _ = run(epochs=4, eval_every=3, callbacks=[log])
    (path,) = tmp_path.rglob('*.wandb')
    found, config, summary = [], {}, {}
    for data in records_of(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        row = {
            x.key or x.nested_key[0]: json.loads(x.value_json)
            for x in record.history.item
        }
        epoch = row.get('epoch')
        found += [(epoch, name, x) for name, x in row.items() if '/' in name]
        config |= {x.key: json.loads(x.value_json) for x in record.run.config.update}
        items = record.summary.update
        summary |= {x.key or x.nested_key[0]: json.loads(x.value_json) for x in items}
    losses, metrics = expected(course)
    assert curve(found, 'loss/total') == losses
    assert curve(found, 'val/Recall@20') == metrics
    assert {name: config[name] for name in SETTINGS} == SETTINGS
    assert summary['stopped_by'] == 'epochs'


@pytest.mark.parametrize(
    ('make', 'package', 'name'),
    [
        (lambda: TensorBoardLogger('x'), 'tensorboard', 'torch.utils.tensorboard'),
        (WandbLogger, 'wandb', 'wandb'),
        (MLflowLogger, 'mlflow-skinny', 'mlflow'),
    ],
)
def test_missing_packages_are_named(make, package, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f'pip install {package}$'):
        make()
