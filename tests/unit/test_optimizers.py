"""Every optimizer of torch.optim that a config may name: what can be set on it, its steps, and how it goes on."""

import inspect
import json
import logging

import pytest
import torch
from pydantic import ValidationError
from small_trainings import CPU, SMALL, SPLITS, assert_same, assert_same_tensors, config, numbers, run
from torch._subclasses.fake_tensor import FakeTensorMode

from scheduler.config import Config, job_key
from scheduler.optimizers import OPTIMIZERS, REFUSED
from worker import augmentation, optimizers
from worker.engine import Hooks, Stopped, Training, fits
from worker.optimizers import begins_with_zeros, can_be_captured, make_optimizer
from worker.snapshot import Snapshot, optimizer_tensors, prefixed, restore_optimizer

OURS = {"lr", "weight_decay", "momentum", "nesterov"}  # the config's own fields
NOBODYS = {"params", "foreach", "fused", "capturable", "maximize", "differentiable"}
NOT_FUSED = {"capturable", "fused"}
EVERY = pytest.mark.parametrize("name", OPTIMIZERS)

# all that the first releases could not say; the steps of each are of a size that learns something
OTHERS = {
    "adadelta": {"learning_rate": 1.0, "optimizer_arguments": {"rho": 0.8}},
    "adafactor": {"learning_rate": 0.05, "optimizer_arguments": {"eps": [1e-20, 1e-2], "d": 2}},
    "adagrad": {"learning_rate": 0.01, "optimizer_arguments": {"initial_accumulator_value": 0.1, "lr_decay": 0.01}},
    "adam": {"optimizer_arguments": {"amsgrad": True, "betas": [0.8, 0.99]}},
    "adamax": {"learning_rate": 0.01, "optimizer_arguments": {"betas": [0.5, 0.9]}},
    "adamw": {"weight_decay": 0.1, "optimizer_arguments": {"eps": 1e-6}},
    "asgd": {"learning_rate": 0.01, "optimizer_arguments": {"t0": 2, "lambd": 0.01}},
    "nadam": {"weight_decay": 0.1, "optimizer_arguments": {"decoupled_weight_decay": True}},
    "radam": {"learning_rate": 0.01, "optimizer_arguments": {"betas": [0.9, 0.9]}},
    "rmsprop": {"momentum": 0.9, "optimizer_arguments": {"centered": True, "alpha": 0.9}},
    "rprop": {"schedule": "constant", "optimizer_arguments": {"step_sizes": [1e-6, 0.01]}},
    "sgd": {"learning_rate": 0.05, "momentum": 0.9, "optimizer_arguments": {"dampening": 0.5}},
}
FIELDS = {name: {"optimizer": name, **fields} for name, fields in OTHERS.items()}
EACH = pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)


def kinds():
    every = vars(torch.optim).values()
    return {kind.__name__ for kind in every if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)}


def signature(name):
    return inspect.signature(getattr(torch.optim, OPTIMIZERS[name].kind)).parameters


def test_every_class_of_torch_is_there_or_refused_with_a_reason():
    ours = [optimizer.kind for optimizer in OPTIMIZERS.values()]
    assert [kind.lower() for kind in ours] == [*OPTIMIZERS]
    assert {*map(str.lower, kinds())} - {"optimizer"} == OPTIMIZERS.keys() | REFUSED.keys()
    assert FIELDS.keys() == OPTIMIZERS.keys()


@EVERY
def test_its_arguments_and_their_defaults_are_those_of_torch(name):
    theirs = {key: one.default for key, one in signature(name).items() if key not in OURS | NOBODYS}
    assert OPTIMIZERS[name].arguments().model_dump() == theirs
    assert {*OPTIMIZERS[name].takes} == (OURS - {"lr"}) & signature(name).keys()


@EVERY
def test_what_torch_refuses_of_its_arguments_no_config_may_hold(name):
    kind = getattr(torch.optim, OPTIMIZERS[name].kind)
    for argument, default in OPTIMIZERS[name].arguments().model_dump().items():
        for bad in ([-1.0, 0.5], [0.5, -1.0], [2.0, 2.0]) if isinstance(default, tuple) else (-1.0, 1.0, 2.0):
            given = tuple(bad) if isinstance(bad, list) else bad
            try:
                kind([torch.nn.Parameter(torch.zeros(2))], **{argument: given})
            except ValueError:
                with pytest.raises(ValidationError):
                    Config.parse(FIELDS[name] | {"optimizer_arguments": {argument: bad}})


@EVERY
def test_what_a_config_holds_reaches_the_optimizer(name):
    chosen = Config.parse(FIELDS[name])
    made = make_optimizer(chosen, torch.nn.Linear(2, 2))
    assert type(made) is getattr(torch.optim, OPTIMIZERS[name].kind)
    group = made.param_groups[0]
    given = {key: tuple(of) if isinstance(of, list) else of for key, of in chosen.optimizer_arguments.items()}
    assert given
    assert given.items() <= group.items()
    assert group["lr"] == chosen.learning_rate
    assert all(group[field] == getattr(chosen, field) for field in OPTIMIZERS[name].takes)


@EVERY
def test_an_argument_at_its_default_is_no_other_job(name):
    defaults = json.loads(json.dumps(OPTIMIZERS[name].arguments().model_dump()))
    explicit = {argument: value for argument, value in defaults.items() if value != [None, 1e-3]}
    plain = FIELDS[name] | {"optimizer_arguments": {}}
    assert job_key(Config.parse(plain | {"optimizer_arguments": explicit}), 1) == job_key(Config.parse(plain), 1)
    assert job_key(Config.parse(FIELDS[name]), 1) != job_key(Config.parse(plain), 1)


def test_a_name_is_known_as_torch_writes_it():
    assert Config.parse({"optimizer": "AdamW"}).canonical() == Config.parse({"optimizer": "adamw"}).canonical()


@EACH
def test_it_steps_as_torch_does_weight_by_weight(fields):
    chosen = config(**fields)
    torch.manual_seed(1)
    ours, theirs = (torch.nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    given = {key: tuple(of) if isinstance(of, list) else of for key, of in chosen.optimizer_arguments.items()}
    own = {field: getattr(chosen, field) for field in OPTIMIZERS[chosen.optimizer].takes}
    kind = getattr(torch.optim, OPTIMIZERS[chosen.optimizer].kind)
    plain = kind(theirs.parameters(), lr=chosen.learning_rate, foreach=False, **own, **given)
    made = make_optimizer(chosen, ours)
    for _ in range(4):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.grad = torch.randn_like(other)
            one.grad = other.grad.clone()
        made.step()
        plain.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


@EACH
@pytest.mark.parametrize("stop_at", [1, 2, 5])
def test_an_interrupted_training_goes_on_bit_for_bit(fields, stop_at):
    fields = {**fields, "arguments": {**SMALL, "batch_norm": True}, "gradient_clip": 0.5}
    ends, saved, before, asked = [], [], [], iter(range(1, 1000))
    records, outcome = run(fields, save=ends.append, save_at_end=True)
    with pytest.raises(Stopped):
        run(fields, should_stop=lambda: next(asked) >= stop_at, save=saved.append, on_epoch=before.append)
    # as a file has it: plain tensors, and values that went through JSON
    snapshot = Snapshot(saved[-1].tensors, json.loads(json.dumps(saved[-1].state)))
    fits(config(**fields), 3, snapshot)
    after, resumed = run(fields, resume=snapshot, save=ends.append, save_at_end=True)
    assert numbers([*before, *after]) == numbers(records)
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


@EVERY
def test_all_that_it_keeps_is_a_tensor_that_a_checkpoint_holds(name):
    model = torch.nn.Conv2d(2, 3, 3)
    made = make_optimizer(Config.parse(FIELDS[name]), model)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    made.step()
    kept = {f"{number}.{key}" for number, of in made.state_dict()["state"].items() for key in of}
    assert kept == optimizer_tensors(made).keys()
    before = make_optimizer(Config.parse(FIELDS[name]), model).param_groups[0]
    assert made.param_groups[0] == before


@EVERY
def test_what_it_keeps_comes_back_in_the_layout_that_it_had(name):
    chosen = Config.parse(FIELDS[name])
    model = torch.nn.Conv2d(4, 5, 3).to(memory_format=torch.channels_last)
    made, again = make_optimizer(chosen, model), make_optimizer(chosen, model)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    made.step()
    kept = optimizer_tensors(made)
    restore_optimizer(again, prefixed(kept, ""))
    assert {key: (value.stride(), value.dtype) for key, value in optimizer_tensors(again).items()} == {
        key: (value.stride(), value.dtype) for key, value in kept.items()
    }


@EACH
def test_a_checkpoint_of_another_optimizer_does_not_fit(fields):
    saved = []
    other = FIELDS["nadam" if fields["optimizer"] != "nadam" else "adagrad"]
    run({**other, "epochs": 1, "schedule": "constant"}, save=saved.append, save_at_end=True)
    with pytest.raises(ValueError, match="does not fit"):
        fits(config(**{**fields, "schedule": "constant"}), 3, saved[-1])


# the fused kernels cannot be pretended without a driver
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if {"capturable"} == NOT_FUSED & {*signature(name)}])
def test_a_captured_step_asks_the_device_nothing(name):
    """Of pretended tensors on CUDA no value can be read: neither the learning rate nor the number of the step."""
    with FakeTensorMode():
        model = torch.nn.Linear(3, 4, device="cuda")
        made = make_optimizer(Config.parse(FIELDS[name]), model)
        assert made.param_groups[0]["capturable"]
        rate = torch.zeros((), device="cuda")
        for _ in range(3):
            for weight in model.parameters():
                weight.grad = torch.zeros_like(weight)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            made.step()
            made.param_groups[0]["lr"] = rate  # Rprop and ASGD read it once, in the step that no graph holds
        values = {value.device.type for of in made.state.values() for value in of.values()}
    assert values == {"cuda"}


def without_a_graph():
    return {name for name in OPTIMIZERS if not can_be_captured(Config.parse(FIELDS[name]), CPU)}


def test_only_adafactor_goes_without_a_graph():
    assert without_a_graph() == {"adafactor"}


def test_where_adagrad_is_not_fused_it_reads_its_steps_on_the_host_and_goes_without_a_graph(monkeypatch):
    monkeypatch.setattr(optimizers, "_has_fused_adagrad", lambda device: False)
    assert without_a_graph() == {"adafactor", "adagrad"}
    assert make_optimizer(Config.parse(FIELDS["adagrad"]), torch.nn.Linear(2, 2)).param_groups[0]["foreach"]


def test_adagrad_is_fused_where_torch_has_that_and_calls_it(monkeypatch):
    assert make_optimizer(Config.parse(FIELDS["adagrad"]), torch.nn.Linear(2, 2)).param_groups[0]["fused"]

    def refuses(self):
        raise RuntimeError("`fused=True` requires all the params to be floating point Tensors of supported devices")

    monkeypatch.setattr(torch.optim.Adagrad, "step", refuses)
    assert not optimizers._has_fused_adagrad.__wrapped__("cpu")


def test_only_weights_of_one_type_are_handed_over_in_pieces():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    chosen = Config.parse({"optimizer": "adam"})
    assert isinstance(make_optimizer(chosen, model, captured=True), optimizers._SpreadAdam)
    model[1].double()
    assert type(make_optimizer(chosen, model, captured=True)) is torch.optim.Adam


def test_what_cannot_be_captured_is_trained_step_by_step_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING, logger="worker.engine"):
        training = Training(config(optimizer="adafactor"), 7, SPLITS, CPU, Hooks(), graph=True)
    assert "adafactor cannot be captured in a CUDA graph" in caplog.text
    training.steps.begin(torch.arange(49), augmentation.Draws(()), loss_sum=0.0, correct=0)
    training.steps.run(0, 16, mask_seed=1)
    assert not training.steps.captured
    assert isinstance(training.optimizer.param_groups[0]["lr"], float)


@EACH
def test_what_begins_with_zeros_does(fields):
    chosen = config(**fields)
    model = torch.nn.Linear(2, 2)
    made, again = make_optimizer(chosen, model), make_optimizer(chosen, model)
    gradients = [torch.randn_like(weight) for weight in model.parameters()]
    weights = [weight.detach().clone() for weight in model.parameters()]

    def stepped(optimizer):
        for weight, value, gradient in zip(model.parameters(), weights, gradients, strict=True):
            weight.data.copy_(value)
            weight.grad = gradient.clone()
        optimizer.step()
        return [weight.detach().clone() for weight in model.parameters()]

    first = stepped(made)
    stepped(again)
    for of in again.state.values():
        for value in of.values():
            value.zero_()
    same = all(torch.equal(one, other) for one, other in zip(first, stepped(again), strict=True))
    assert same or not begins_with_zeros(chosen)


def test_clipped_gradients_are_as_long_as_they_may_be():
    fields = {"optimizer": "sgd", "learning_rate": 1.0, "epochs": 1, "schedule": "constant", "batch_size": 64}
    ends = {}
    for clip in (0.0, 1e-12, 0.01):
        saved = []
        run({**fields, "gradient_clip": clip}, save=saved.append, save_at_end=True)
        ends[clip] = {key: value for key, value in saved[-1].tensors.items() if key.startswith("model.")}
    assert len(SPLITS.train.labels) <= 64  # one step
    moved = sum(((ends[0.01][key] - ends[1e-12][key]) ** 2).sum() for key in ends[0.01]) ** 0.5
    assert moved.item() == pytest.approx(0.01, rel=1e-3)
    assert any(not torch.equal(ends[0.0][key], ends[0.01][key]) for key in ends[0.0])
