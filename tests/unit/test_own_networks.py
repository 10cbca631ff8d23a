"""Networks of a user's own: loaded where nobody else sees them, built, and checked before anything is trained."""

import inspect
import logging as logging
import pickle
import sys
import traceback
import typing

import pytest
import torch
from torch import nn

from models import OwnCode, OwnNetworkError, build_own, bundled, describe, installed_version, takes_channels_last
from models._own import loaded

HEAD = "import torch\nfrom torch import nn\n\n"
NET = (
    HEAD
    + """
class MyNet(nn.Module):
    def __init__(self, width=4, num_classes=10):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.head(self.body(images).flatten(1))
"""
)


def own(text=NET, **more):
    return bundled({"nets.py": text, **{f"{name}.py": other for name, other in more.items()}})


def found(text=NET, name="MyNet", classes=10, **arguments):
    return describe(f"nets.py:{name}", classes=classes, arguments=arguments, own=own(text))


def refusal(text=NET, name="MyNet", classes=10, **arguments):
    with pytest.raises(OwnNetworkError) as caught:
        found(text, name, classes, **arguments)
    return str(caught.value), caught.value.fix


def test_a_users_folders_replace_none_of_benchs_rooms_and_bench_none_of_theirs():
    import db
    import models

    sources = {
        "models/__init__.py": "from db import tables\nfrom .nets import MyNet\nWHOSE = 'mine'\n",
        "models/nets.py": NET + "import models, torch\nassert models is not torch\n",
        "db/tables.py": "import worker\nNAMES = worker.NAME\n",
        "worker.py": "NAME = 'mine'\nimport logging\n",
        "logging.py": "getLogger = None\n",
        "cli/__init__.py": "raise RuntimeError('nobody imports it')\n",
    }
    before = set(sys.modules)
    path = list(sys.path)
    make = loaded("models/__init__.py:MyNet", bundled(sources))
    added = set(sys.modules) - before
    theirs = sys.modules[make.__module__.rpartition(".")[0]]
    assert (theirs.WHOSE, theirs.tables.NAMES) == ("mine", "mine")
    assert {name for name in added if not name.startswith("_bench_own_")} == set()
    assert sys.modules["models"] is models
    assert sys.modules["db"] is db
    assert sys.path == path
    assert sys.modules["logging"].getLogger is not None


def test_two_versions_of_one_file_live_beside_each_other():
    one, two = (loaded("nets.py:VALUE", own(f"def VALUE(): return {number}\n")) for number in (1, 2))
    assert (one(), two()) == (1, 2)
    assert loaded("nets.py:VALUE", own("def VALUE(): return 1\n")) is one


def test_imports_within_a_bundle_mean_the_bundle_in_every_form():
    text = """
import inner.deep
import inner.deep as third
from inner import deep as second
from . import side
from inner.deep import Deep, inspect
import os.path
def look():
    import side as again
    return [inner.deep is third is second, again is side, Deep.HOW, os.path.sep, inspect.__name__]
"""
    sources = {
        "nets.py": text,
        "side.py": "",
        "inner/deep.py": "from .more import *\nfrom ..side import __name__ as x\n",
    }
    sources["inner/more.py"] = "import inspect\nclass Deep:\n    HOW = 'relative'\n"
    assert loaded("nets.py:look", bundled(sources))() == [True, True, "relative", "/", "inspect"]


def test_what_looks_a_class_up_by_its_module_finds_it():
    text = NET + (
        "from dataclasses import dataclass, field\nfrom typing import NamedTuple, get_type_hints\n\n"
        "@dataclass\nclass Shape:\n    width: 'int' = 3\n    other: 'Shape | None' = None\n\n"
        "@dataclass\nclass Wide(Shape):\n    def __post_init__(self):\n        super().__init__(self.width)\n"
    )
    wide, net = loaded("nets.py:Wide", own(text)), loaded("nets.py:MyNet", own(text))
    assert pickle.loads(pickle.dumps(wide(5))) == wide(5)  # noqa: S301 - of this very process
    assert typing.get_type_hints(wide)["other"] == (loaded("nets.py:Shape", own(text)) | None)
    assert inspect.getsource(net).startswith("class MyNet(nn.Module):")


def test_a_traceback_shows_the_users_own_lines():
    make = loaded("nets.py:fail", own("def fail():\n    raise KeyError('mine')  # here\n"))
    try:
        make()
    except KeyError:
        told = traceback.format_exc()
    assert "raise KeyError('mine')  # here" in told
    assert "/nets.py" in told
    assert "line 2, in fail" in told


@pytest.mark.parametrize("name", ["num_classes", "classes", "n_classes"])
def test_the_number_of_classes_is_given_under_the_name_that_the_network_has_for_it(name):
    assert found(NET.replace("num_classes", name), classes=7).parameters == 3 * 4 * 9 + 4 + 4 * 7 + 7


def test_the_number_of_classes_is_left_to_the_suite_that_gives_it():
    assert found(classes=7, num_classes=7) == found(classes=7)
    assert "returned (2, 5), not (2, 7)" in refusal(classes=7, num_classes=5)[0]


def test_a_function_with_keywords_of_any_name_gets_num_classes():
    assert (
        found(NET + "def made(**more):\n    return MyNet(**more)\n", "made", width=2).parameters == 3 * 2 * 9 + 2 + 30
    )


def test_parameters_flops_and_activations_are_counted_for_one_image():
    counted = found()
    assert counted.flops == 2 * (32 * 32 * 4 * 27 + 4 * 10)
    assert counted.activations == 2 * 4 * 32 * 32 + 4 + 10


def test_frozen_parameters_are_not_counted():
    made = "def made(num_classes):\n    net = MyNet(4, num_classes)\n"
    made += "    net.body.requires_grad_(False)\n    return net\n"
    assert found(NET + made, "made").parameters == 50


def test_a_network_that_no_meta_device_can_build_or_run_is_checked_on_the_cpu():
    text = NET.replace("super().__init__()\n", "super().__init__()\n        width = int(torch.tensor(width).item())\n")
    on_meta = found(NET)
    assert found(text) == on_meta
    assert found(NET.replace("return self", "assert float(images.sum()) == 0\n        return self")) == on_meta


def test_layers_that_wait_for_images_to_know_their_size_are_built_from_the_seed():
    text = NET.replace("nn.Linear(width, num_classes)", "nn.LazyLinear(num_classes)")
    text = text.replace("nn.ReLU()", "nn.LazyBatchNorm2d(affine=False)")
    assert found(text).parameters == 3 * 4 * 9 + 4 + 50
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(build_own("nets.py:MyNet", own(text), classes=10, arguments={}))
    assert torch.equal(made[0].head.weight, made[1].head.weight)
    assert made[0].training
    assert made[0].body[1].num_batches_tracked == 0


VIEW = NET.replace("self.body(images).flatten(1)", "self.body(images).view(len(images), -1)")
WIDE = VIEW.replace("nn.AdaptiveAvgPool2d(1)", "nn.MaxPool2d(8)").replace("nn.Linear(width,", "nn.Linear(width * 16,")


@pytest.mark.parametrize(("text", "takes_it"), [(NET, True), (VIEW, True), (WIDE, False)])
def test_a_network_that_views_its_activations_is_not_laid_out_in_channels_last(text, takes_it):
    before = torch.random.get_rng_state()
    assert takes_channels_last("nets.py:MyNet", own(text), classes=10, arguments={}) is takes_it
    assert torch.equal(torch.random.get_rng_state(), before)


def with_forward(line):
    return NET[: NET.index("        return self.head")] + f"        {line}\n"


WRONG = {
    "wrong shape": (
        with_forward("return self.head(self.body(images).flatten(1))[:, :3]"),
        "returned (2, 3), not (2, 10)",
    ),
    "three dimensions": (with_forward("return self.body(images)"), "returned (2, 4, 1, 1), not (2, 10)"),
    "a tuple": (with_forward("return self.head(self.body(images).flatten(1)), 1"), "returned a tuple in training"),
    "nothing": (with_forward("pass"), "returned a NoneType in training"),
    "whole numbers": (with_forward("return torch.zeros(2, 10, dtype=torch.int64)"), "returned torch.int64 in training"),
    "only in evaluation": (
        with_forward("return self.head(self.body(images).flatten(1))[:, : 10 if self.training else 3]"),
        "returned (2, 3), not (2, 10), for 2 images of 10 classes in evaluation",
    ),
    "nothing to learn": (with_forward("return torch.zeros(2, 10)"), "do not depend on what can be trained"),
    "no module": (NET + "def MyNet():\n    return 3\n", "gives an int, not a torch.nn.Module"),
    "no callable": (NET + "MyNet = 3\n", "is no class or function"),
    "no parameters": (NET + "def MyNet():\n    return nn.Flatten()\n", "has no parameters to train"),
    "all frozen": (NET + "A = MyNet\ndef MyNet():\n    return A().requires_grad_(False)\n", "no parameters to train"),
    "extra state": (
        NET + "    def get_extra_state(self):\n        return {}\n",
        "_extra_state in its state_dict, a dict",
    ),
    "raises when loaded": (
        HEAD + "1 / 0\nMyNet = 1\n",
        "cannot be loaded: ZeroDivisionError: division by zero (nets.py:4)",
    ),
    "leaves when loaded": (HEAD + "raise SystemExit(0)\nMyNet = 1\n", "cannot be loaded: SystemExit: 0 (nets.py:4)"),
    "not in the package": ("from .blocks import x\n", "ModuleNotFoundError: No module named 'blocks' (nets.py:1)"),
    "not installed": ("import nowhere_at_all\nMyNet = 1\n", "No module named 'nowhere_at_all' (nets.py:1)"),
    "raises when built": (
        HEAD + "def MyNet():\n    return inner()\ndef inner():\n    raise ValueError('two\\nlines')\n",
        "cannot be built: ValueError: two lines (nets.py:7)",
    ),
    "raises in forward": (with_forward("return images.nothing"), "(2, 3, 32, 32): AttributeError: 'Tensor' object"),
    "place of that": (with_forward("return images.nothing"), "(nets.py:12)"),
    "does not fit": (NET.replace("nn.Linear(width,", "nn.Linear(7,"), "fails on images of shape (2, 3, 32, 32)"),
}


@pytest.mark.parametrize(("text", "error"), WRONG.values(), ids=WRONG)
def test_what_no_training_could_use_is_refused_in_one_line(text, error):
    said, fix = refusal(text)
    assert said.startswith("nets.py:MyNet ")
    assert error in said
    assert "\n" not in said
    assert fix


def test_a_file_that_the_code_reads_from_beside_itself_is_told_to_stay_behind():
    said, fix = refusal("import pathlib\nTEXT = pathlib.Path(__file__).with_name('sizes.json').read_text()\n")
    assert "FileNotFoundError" in said
    assert "sizes.json' (nets.py:2)" in said
    assert "no other file travels with it" in fix


def test_a_wrong_argument_is_refused_with_those_that_there_are():
    assert refusal(depth=3) == (
        "nets.py:MyNet: got an unexpected keyword argument 'depth'",
        "nets.py:MyNet takes the arguments width, num_classes",
    )
    assert "missing a required argument: 'width'" in refusal(NET.replace("width=4", "width"))[0]


def test_what_a_users_code_prints_is_not_what_bench_prints(capsys):
    found(NET.replace("super().__init__()", "super().__init__(); print('built')") + "print('loaded')\n")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "loaded\nbuilt\n")


def test_imports_in_a_circle_that_python_takes_are_taken():
    text = "import other\n" + NET
    assert describe(
        "nets.py:MyNet", classes=10, arguments={}, own=own(text, other="import nets\ndef late():\n    nets.MyNet\n")
    ).parameters


def test_a_network_of_an_installed_package_is_built_like_an_own_one():
    code = OwnCode(f"torchvision=={installed_version('torchvision')}")
    model = build_own("torchvision.models:resnet18", code, classes=7, arguments={"norm_layer": None})
    assert isinstance(model, nn.Module)
    counted = describe("torchvision.models:resnet18", classes=7, arguments={}, own=code)
    assert counted.parameters == sum(weight.numel() for weight in model.parameters())


def test_code_with_another_sum_than_its_name_is_not_whole():
    whole = own()
    assert whole.is_whole()
    assert not OwnCode(whole.name, whole.content + " ").is_whole()
