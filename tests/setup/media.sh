#!/bin/sh
# What the camera tests need, on Debian 12 or later: GStreamer's RTSP server for cameras, ffmpeg to look at what was
# sent, ALSA's tools for sound. Idempotent; run as root.
set -eu
missing=
for package in python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav ffmpeg alsa-utils; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
apt-get update
# shellcheck disable=SC2086  # a list of words is what is meant
apt-get install --yes --no-install-recommends $missing
