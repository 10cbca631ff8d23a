"""A name that wants to be more than text, in LaTeX and elsewhere."""

HOSTILE = (
    r"*[x] \input{/etc/passwd} \immediate\write18{touch owned} $x_1$ & 50 % #1 ~ ^^5cbye {"
    "\n\n\\end{document} \"q\" ''--,,`` ¨´¯ \x07 \u202e naïve Ångström Ő αΣ ά ≤ 日本語 🙂 << title >> <% x %> "
    + "W"
    * 99
)
