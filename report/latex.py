"""Any text as LaTeX that shows it and does nothing else, and a table for papers that have their own preamble."""

import re
import unicodedata
from itertools import pairwise

from report.tables import Table
from report.text import sentence, sides


class Tex(str):
    """LaTeX as it is: escaped already, or bench's own."""

    __slots__ = ()


MARK = Tex(r"{\fboxsep=1pt\fbox{?}}")
"""Stands for characters that pdfLaTeX cannot show."""

# Each character comes out as it is: no command, no ligature, no argument of what stands before it
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # bare at the start of a row it would be the argument of the \\ before it
    "*": "{*}",  # likewise
    '"': r"\symbol{34}",
    "`": r"\`{}",
    "¨": r"\"{}",
    "´": r"\'{}",
    "¯": r"\={}",
    **dict.fromkeys("\n\r\t\u2028\u2029\u00a0\u202f", " "),
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_LIGATURES = "-',"  # two of them would be one sign
_SIGNS = {"–": "--", "—": "---", "…": r"\ldots{}", "±": r"$\pm$", "−": "$-$"}
_RELATIONS = (
    "leq geq neq approx equiv sim propto infty partial nabla sum prod surd in emptyset cap cup subset subseteq forall "
    "exists wedge vee oplus otimes leftarrow rightarrow leftrightarrow Rightarrow Leftrightarrow"
)
_SIGNS |= {
    sign: rf"$\{command}$" for sign, command in zip("≤≥≠≈≡∼∝∞∂∇∑∏√∈∅∩∪⊂⊆∀∃∧∨⊕⊗←→↔⇒⇔", _RELATIONS.split(), strict=True)
}
_SIGNS |= {sign: rf"\textsuperscript{{{place}}}" for place, sign in zip("0456789", "⁰⁴⁵⁶⁷⁸⁹", strict=True)}
_SIGNS |= {sign: rf"\textsubscript{{{place}}}" for place, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_LETTERS = (
    r"\alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi o \pi \rho \varsigma "
    r"\sigma \tau \upsilon \varphi \chi \psi \omega A B \Gamma \Delta E Z H \Theta I K \Lambda M N \Xi O \Pi P \Sigma "
    r"T \Upsilon \Phi X \Psi \Omega"
)
_GREEK = {
    letter: f"${shown}$" if shown.startswith("\\") else shown
    for letter, shown in zip("αβγδεζηθικλμνξοπρςστυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", _LETTERS.split(), strict=True)
}
# What the encodings T1 and TS1 have beyond ASCII, as LaTeX's own t1enc.dfu and ts1enc.dfu list it
_ENCODED = {chr(code) for code in (*range(0xA1, 0x17F), *range(0x218, 0x21C))} - set("\u00adĦħĸĿŀŉŦŧ")
_ENCODED |= set("‘’‚“”„†‡•‰‹›€™ẞ")
_SHOWN = {sign: sign for sign in (*map(chr, range(0x20, 0x7F)), *_ENCODED)} | _GREEK | _SIGNS | _SPECIAL


def tex(text: str) -> Tex:
    """`text` as LaTeX; MARK, once for a run of them, for characters that T1, TS1 and mathematics lack."""
    text = unicodedata.normalize("NFC", text)
    shown = [
        _SHOWN.get(character, MARK) + ("{}" if character in _LIGATURES and character == following else "")
        for character, following in pairwise(f"{text} ")
    ]
    return Tex(re.sub(f"({re.escape(MARK)})+", lambda run: run[1], "".join(shown)))


def as_latex(table: Table) -> str:
    """For booktabs, with every special character escaped; the note stands below in small print."""
    body = [" & ".join(map(tex, line)) + r" \\" for line in table.cells]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{tex(table.title)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{''.join(sides(table, 'l', 'r'))}}}",
            r"\toprule",
            " & ".join(map(tex, table.head)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\raggedright\footnotesize {tex(sentence(table.note))}",
            r"\end{table}",
            "",
        ]
    )
