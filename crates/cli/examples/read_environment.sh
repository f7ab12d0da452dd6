#!/bin/sh
# Answers read_environment; a real one would ask a sensor. The payload on standard input is not needed.
irrigation=false
[ -f "${TMPDIR:-/tmp}/mqtt-device-irrigation" ] && irrigation=true
printf '{"temperature":28.3,"humidity":65,"soilMoisture":42,"irrigationOn":%s}\n' "$irrigation"
