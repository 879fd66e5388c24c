#!/usr/bin/env bash
# Shows that the simulation finds what it is to find: each patch in store/tests/mutants breaks one rule of the protocol, in a copy of
# the tree, and the simulation has to fail within SIM_SEEDS seeds (60), or what it plays beside them. Names of patches as arguments: those only.
set -euo pipefail
cd "$(dirname "$0")/.."

# of its own: to cargo the copy is the same workspace, and it would take what is broken for what is not
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/mutants && export CARGO_TARGET_DIR
export SIM_SEED=${SIM_SEED:-1} SIM_SEEDS=${SIM_SEEDS:-60} SIM_TRACE=0 RUST_BACKTRACE=0
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

patches=(store/tests/mutants/*.patch)
if (($#)); then patches=("${@/#/store/tests/mutants/}") && patches=("${patches[@]/%/.patch}"); fi
git ls-files -z | xargs -0 cp --parents -t "$copy"
missed=()
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  if ! patch -d "$copy" -p1 -s -N <"$patch" >"$copy.log"; then
    cat "$copy.log"; echo "$name: the code has changed, so the patch has to"; missed+=("$name"); git ls-files -z store | xargs -0 cp --parents -t "$copy"; continue
  fi
  # what fails must be the simulation, not the build
  (cd "$copy" && cargo test --quiet --workspace --locked --test simulation --no-run)
  if (cd "$copy" && cargo test --quiet --workspace --locked --test simulation -- nothing_is_lost >"$copy.log" 2>&1); then
    echo "$name: not noticed in $SIM_SEEDS seeds"; missed+=("$name")
  else
    echo "$name: $(grep -m1 -oE '^seed [0-9]+: .{0,160}' "$copy.log" || sed -nE 's/^    ([a-z_]+::[a-z_:]+)$/\1/p' "$copy.log" | sort -u | grep . || tail -5 "$copy.log")"
  fi
  patch -d "$copy" -p1 -s -R <"$patch"
done
rm -f "$copy.log"
echo "${#patches[@]} mutants, not noticed: ${missed[*]:-none}"
((${#missed[@]} == 0))
