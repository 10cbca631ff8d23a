"""A network that is not bench's: built, checked before anything is trained, and tried in channels_last."""

import inspect
import json
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from models._code import OwnCode, OwnNetworkError, end_copies
from models._describe import counted
from models._own import loaded, past_the_bundle, told
from models._switches import put_back

_CLASSES = ("num_classes", "classes", "n_classes")
_IMAGES = 2  # batch norm takes no single value per channel
_LISTED = 6  # arguments that a message names
_ONE_AT_A_TIME = threading.Lock()  # what is redirected and put back belongs to all threads


class Facts(NamedTuple):
    """What a network is told of the data."""

    classes: int
    side: int
    channels: int

    def images(self) -> Tensor:
        """Black ones, on the device that is the default."""
        return torch.zeros(_IMAGES, self.channels, self.side, self.side)


def build(model: str, own: OwnCode, arguments: Mapping[str, Any], data: Facts) -> nn.Module:
    """Layers that wait for the first images to know their size get two black ones, in evaluation mode."""
    make = loaded(model, own)
    # a copy: lists that the network changes are the config's, from which it may be built again
    given = _with_classes(make, deepcopy(dict(arguments)), data.classes)
    _check_arguments(model, make, given)
    owner = os.getpid()
    try:
        with put_back():
            network = make(**given)
            end_copies(owner)
            if isinstance(network, nn.Module) and _is_lazy(network):
                with torch.no_grad():
                    network.eval()
                    network(data.images())
                network.train()
    except (Exception, SystemExit) as error:
        raise told(model, "cannot be built", error, own) from error
    if not isinstance(network, nn.Module):
        what = f"{model} gives {_kind(network)}, not a torch.nn.Module"
        raise OwnNetworkError(what, fix="name a class or function that gives the network")
    return network


def _with_classes(make: Callable[..., Any], arguments: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """How many classes there are, under the name that the callable has for it, unless the suite says it."""
    parameters = _parameters(make)
    if parameters is None or any(name in arguments for name in _CLASSES):
        return dict(arguments)
    takes = [one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]
    found = [name for name in _CLASSES if name in takes]
    if not found and any(one.kind is one.VAR_KEYWORD for one in parameters):
        found = [_CLASSES[0]]
    return {**arguments, **({found[0]: classes} if found else {})}


def _parameters(make: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError):  # of something written in C
        return None


def _check_arguments(model: str, make: Callable[..., Any], given: Mapping[str, Any]) -> None:
    parameters = _parameters(make)
    if parameters is None:
        return
    try:
        inspect.signature(make).bind(**given)
    except TypeError as error:
        names = [one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]
        more = ", ..." if len(names) > _LISTED else ""
        fix = f"{model} takes the arguments {', '.join(names[:_LISTED])}{more}" if names else "give it no arguments"
        raise OwnNetworkError(f"{model}: {error}", fix=fix) from error


def _is_lazy(network: nn.Module) -> bool:
    return any(is_lazy(one) for one in (*network.parameters(), *network.buffers()))


def checked(model: str, own: OwnCode, arguments: Mapping[str, Any], data: Facts) -> tuple[int, int, int]:
    """Parameters, FLOPs and activations as `models._describe.count` gives them. Raises OwnNetworkError.

    Built and run forwards and backwards, as a training would, on two images.
    """
    return _checked(model, own, json.dumps(arguments, sort_keys=True), data)


@lru_cache(maxsize=1024)
def _checked(model: str, own: OwnCode, arguments: str, data: Facts) -> tuple[int, int, int]:
    # what a user's code prints is no result of the command that asks
    before = {*sys.modules}
    with _ONE_AT_A_TIME, redirect_stdout(sys.stderr), put_back():
        loaded(model, own)  # not below: what a module makes for itself when it is imported belongs on no meta device
        try:
            found = _checked_on("meta", model, own, arguments, data)
        except OwnNetworkError as error:
            if error.__cause__ is None:  # it ran, but is of no use
                raise
            found = _checked_on("cpu", model, own, arguments, data)
    missed = past_the_bundle(own, before)
    if missed:
        what = f"{model} loads {missed[0]} by a computed name, so that it is not taken along"
        raise OwnNetworkError(what, fix=f"write `import {missed[0]}`, or `from ... import` with plain names")
    return found


def _checked_on(device: str, model: str, own: OwnCode, arguments: str, data: Facts) -> tuple[int, int, int]:
    columns, owner = data.classes, os.getpid()
    with warnings.catch_warnings(), put_back(), torch.device(device):
        warnings.simplefilter("ignore")  # of weights that are copied to the meta device, and of the network's own
        network = build(model, own, json.loads(arguments), data)
        _check_state(model, network)
        images = data.images()
        try:
            network.train()
            logits = network(images)
            _check_logits(model, "in training", logits, columns)
            if not logits.requires_grad:
                what = f"{model} gives logits that do not depend on what can be trained"
                raise OwnNetworkError(what, fix="compute them from the parameters, without detach or no_grad")
            torch.autograd.backward(logits.sum())
            flops, activations, out = counted(network, images)
        except OwnNetworkError:
            raise
        except (Exception, SystemExit) as error:
            fix = "mend the network, or set image_size and channels in [suite] to what it takes"
            raise told(model, f"fails on images of shape {tuple(images.shape)}", error, own, fix=fix) from error
        end_copies(owner)
        _check_logits(model, "in evaluation", out, columns)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return parameters, flops // _IMAGES, activations // _IMAGES


def _check_state(model: str, network: nn.Module) -> None:
    if not any(one.requires_grad for one in network.parameters()):
        raise OwnNetworkError(f"{model} has no parameters to train", fix="give it some that require a gradient")
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            what = f"{model} keeps {name} in its state_dict, {_kind(value)}: checkpoints hold tensors alone"
            raise OwnNetworkError(what, fix="keep a tensor there, or leave get_extra_state out")


def _check_logits(model: str, when: str, logits: Any, classes: int) -> None:
    fix = "give one tensor of logits, a row for each image and a column for each class"
    if not isinstance(logits, Tensor):
        raise OwnNetworkError(f"{model} returned {_kind(logits)} {when}, not a tensor", fix=fix)
    if logits.dim() != 2 or tuple(logits.shape) != (_IMAGES, classes):
        shape, wanted = tuple(logits.shape), (_IMAGES, classes)
        what = f"{model} returned {shape}, not {wanted}, for {_IMAGES} images of {classes} classes {when}"
        raise OwnNetworkError(what, fix=fix)
    if not logits.is_floating_point():
        raise OwnNetworkError(f"{model} returned {logits.dtype} {when}, not floats", fix=fix)


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def tried(model: str, own: OwnCode, arguments: Mapping[str, Any], data: Facts) -> bool:
    """Whether two images go forwards and backwards in channels_last.

    On the CPU: the meta device takes `view` of activations that no real device takes.
    """
    return _tried(model, own, json.dumps(arguments, sort_keys=True), data)


@lru_cache(maxsize=1024)
def _tried(model: str, own: OwnCode, arguments: str, data: Facts) -> bool:
    with _ONE_AT_A_TIME, warnings.catch_warnings(), put_back():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        network = build(model, own, json.loads(arguments), data)
        images = data.images().to(memory_format=torch.channels_last)
        try:
            network.to(memory_format=torch.channels_last).train()
            torch.autograd.backward(network(images).sum())
            network.eval()
            with torch.inference_mode():
                network(images)
        except RuntimeError:
            return False
    return True
