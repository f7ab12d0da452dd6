#!/bin/sh
# Answers toggle_irrigation: {"enabled":true|false} comes on standard input, as one line of compact JSON.
valve="${TMPDIR:-/tmp}/mqtt-device-irrigation"
read -r payload
case "$payload" in
*'"enabled":true'*) : >"$valve" && echo '{"irrigationOn":true}' ;;
*'"enabled":false'*) rm -f "$valve" && echo '{"irrigationOn":false}' ;;
*)
    # What is written here is the reason in the answer.
    echo 'enabled must be true or false' >&2
    exit 1
    ;;
esac
