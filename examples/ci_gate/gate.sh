#!/usr/bin/env bash
# Ends with 1 when a claim is contradicted, or when a variant has become worse than in the report that was kept.
#   gate.sh [KEPT_REPORT_JSON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
bench="${BENCH:-bench}"

$bench run --all --suite suite.toml --out gate-report
$bench report --out gate-report --fail-on contradicted
if [ -n "${1:-}" ]; then
  $bench compare --against "$1"
fi
