#!/usr/bin/env bash
# Checks the functions as they are deployed: tools/check-functions.sh FOLDER
#   push is at most 12 MiB, since what is loaded is waited for by whoever pushes first, and the extension at most 16 MiB, since each function
#   that is measured loads it too
#   none needs a newer C library than provided.al2023 has
#   each says in one line at its start what of its environment is missing
set -euo pipefail

folder=${1:?usage: tools/check-functions.sh FOLDER}
push_bytes_max=$((12 << 20))
extension_bytes_max=$((16 << 20))
# that of Amazon Linux 2023
glibc_max=2.34

fail() { printf 'tools/check-functions.sh: %s\n' "$*" >&2; exit 1; }

for name in push query alert compact scrape extension; do
  [[ -x $folder/$name ]] || fail "$folder/$name is not there: make functions builds it"
  bytes=$(stat --format=%s "$folder/$name")
  glibc=$(objdump -T "$folder/$name" | grep -o 'GLIBC_[0-9.]*' | sed s/GLIBC_// | sort --version-sort --unique | tail -1)
  printf '%-9s %6.2f MiB, glibc %s\n' "$name" "$(awk "BEGIN { print $bytes / 1048576 }")" "$glibc"
  [[ $(printf '%s\n' "$glibc" "$glibc_max" | sort --version-sort | tail -1) == "$glibc_max" ]] ||
    fail "$name needs glibc $glibc, and provided.al2023 has $glibc_max"
  [[ $name != push ]] || ((bytes <= push_bytes_max)) || fail "push has $bytes bytes, more than $push_bytes_max"
  [[ $name != extension ]] || ((bytes <= extension_bytes_max)) || fail "extension has $bytes bytes, more than $extension_bytes_max"
  missing="MAYFLY_STORAGE is not set"
  [[ $name != extension ]] || missing="neither MAYFLY_GATEWAY nor MAYFLY_STORAGE is set"
  told=$(env -i "$folder/$name" 2>&1) && fail "$name starts without a storage"
  [[ $(grep -c . <<<"$told") == 1 && $told == *"$missing"* ]] || fail "$name does not say what is missing: $told"
done
