"""`bench report --latex`: pdfLaTeX makes pages of what it wrote, whatever names there are."""

import re
import shutil
import subprocess

import pytest
from command import bench
from filled_store import filled, layout_with_figures
from hostile import HOSTILE


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here (Debian: texlive-latex-recommended)")
def test_pdflatex_makes_pages_that_fit_of_the_most_hostile_names(tmp_path):
    out, only = tmp_path / "out", ("baseline", "dropout", "batchnorm")
    classes = tuple(f"{number} {HOSTILE}" for number in range(20))
    how = {"seeds": (42, 43), "failed": (("dropout", 43),), "layout": layout_with_figures(1)}
    with filled(tmp_path, only=only, title=HOSTILE, classes=classes, **how):
        done = bench("report", "--latex", "--out", str(out), cwd=tmp_path, BENCH_HOME=str(tmp_path))
    assert str(out / "report.tex") in done.stdout
    text = (out / "report.tex").read_text()
    assert text.count("stands for characters that pdf") == 1
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
        made = subprocess.run(command, cwd=out, capture_output=True, timeout=60)
        assert made.returncode == 0, made.stdout[-2000:]
    log = (out / "report.log").read_text(errors="replace")
    assert "undefined" not in log
    assert not re.findall(r"Overfull \\hbox.*|Missing character.*", log)
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert not (out / "owned").exists()
    assert r"\end{document}" in text.splitlines()[-1]
