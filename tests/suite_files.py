"""Suite files as tests write them: on the digits, with whatever else they are about."""

from pathlib import Path

from scheduler.suite import Suite, load_suite

HEAD = '[suite]\nname = "mine"\ndataset = "digits"\n'
ONE = HEAD + '[variants.a]\nmodel = "small_cnn"\n'
SWEEP = "[sweeps.s]\nbase = 'a'\n"
GIVEN = "[variants.a.optimizer_arguments]\n"
TABLE, FIGURE = "[[tables]]\nname = 't'\n", "[[figures]]\nname = 'f'\n"
PRINTED = "[reference]\nsource = 'x'\n[reference.variants.a]\n"


def suite(tmp_path: Path, text: str) -> Suite:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_suite(str(path))
