#!/usr/bin/env bash
# The source's table, row by row, and after it the nets that its best one teaches, trained once more for that:
#
#   bench/table.sh bin/mnet-edge FOLDER [ROW...]     FOLDER gets a run a row; rows by name, all if none is named
#
# DATA, PRESET, EPOCHS and BACKEND are train's --data, --preset, --epochs and --backend; SECONDS_A_ROW is when a row is interrupted. What is done
# is not done again, and a row that was interrupted goes on: the script may be run until no row is left. A row that another one teaches waits until
# that is done. MORE is given to each row's train. The exit code
# is 1 if a row was refused or failed.
set -euo pipefail
trap 'exit 130' INT
edge=$1 out=$2
shift 2
rows=( # name, flags, and the row that teaches it
  "C-w0.338|--net C --width 0.338"
  "D-w1|--net D"
  "D-w1-nomid|--net D --no-mid-relu"
  "C-w1|--net C"
  "D-w3|--net D --width 3"
  "D-w0.5-nomid|--net D --width 0.5 --no-mid-relu"
  "C-w1-teacher|--net C --recipe bench/results/recipes/no-smoothing.json"
  "D-w0.5-nomid-taught|--net D --width 0.5 --no-mid-relu|C-w1-teacher"
  "D-w1-nomid-taught|--net D --no-mid-relu|C-w1-teacher"
)
for name in "$@"; do
  printf '%s\n' "${rows[@]%%|*}" | grep -qxF -- "$name" || { echo "no row $name; there are: ${rows[*]%%|*}" >&2; exit 2; }
done
mkdir -p "$out"
finished=() failed=0
for row in "${rows[@]}"; do
  IFS='|' read -r name flags teacher <<<"$row"
  [[ $# = 0 || " $* " = *" $name "* ]] || continue
  run=$out/$name
  if [[ -n $teacher && ! -f $out/$teacher/result.json ]]; then
    echo "== $name: waits for $teacher"
    continue
  fi
  if [[ ! -f $run/result.json ]]; then
    if [[ -f $run/config.json ]]; then
      how=(--resume --out "$run")
    else
      read -ra how <<<"$flags --preset ${PRESET:-fast} ${EPOCHS:+--epochs $EPOCHS} --backend ${BACKEND:-auto} ${MORE:-}"
      how+=(${teacher:+--teacher "$out/$teacher"} --out "$run")
    fi
    echo "== $name: ${how[*]}"
    # In the foreground, so that the terminal's interrupt reaches train.
    ${SECONDS_A_ROW:+timeout --foreground -s INT "$SECONDS_A_ROW"} "$edge" train --data "${DATA:-cifar10}" "${how[@]}" || {
      code=$?
      echo "== $name: not finished"
      [[ $code = 124 || $code = 130 ]] || failed=1 # interrupted: it goes on the next time
    }
  fi
  [[ -f $run/result.json ]] && finished+=("$run")
done
if [[ ${#finished[@]} -gt 0 ]]; then
  echo "finished; to keep their figures: make results RUNS=$(IFS=,; echo "${finished[*]}")"
fi
exit $failed
