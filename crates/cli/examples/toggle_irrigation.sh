#!/bin/sh
# Answers toggle_irrigation: {"enabled":true|false} comes on standard input, with spaces where its sender wrote them.
valve="${TMPDIR:-/tmp}/mqtt-device-irrigation"
payload=$(tr -d '[:space:]')
case "$payload" in
*'"enabled":true'*) : >"$valve" && echo '{"irrigationOn":true}' ;;
*'"enabled":false'*) rm -f "$valve" && echo '{"irrigationOn":false}' ;;
*)
    # What is written here is the reason in the answer.
    echo 'enabled must be true or false' >&2
    exit 1
    ;;
esac
