#!/bin/sh
# Janus (Debian) as a peer: one RTSP camera to WebRTC on loopback. Usage: serve.sh FOLDER WEBSOCKET-PORT RTSP-URL
# It runs in the foreground; what it needs lies in FOLDER.
set -eu
folder=$1 port=$2 camera=$3
lib=/usr/lib/x86_64-linux-gnu/janus
mkdir -p "$folder/plugins" "$folder/transports" "$folder/none"
ln -sf $lib/plugins/libjanus_streaming.so "$folder/plugins/"
ln -sf $lib/transports/libjanus_websockets.so "$folder/transports/"
cat > "$folder/janus.jcfg" <<END
general: {
  configs_folder = "$folder"
  plugins_folder = "$folder/plugins"
  transports_folder = "$folder/transports"
  events_folder = "$folder/none"
  loggers_folder = "$folder/none"
  debug_level = 3
  interface = "127.0.0.1"
}
nat: { ice_enforce_list = "lo" ignore_mdns = true }
media: { ipv6 = false }
END
cat > "$folder/janus.transport.websockets.jcfg" <<END
general: { json = "compact" ws = true ws_port = $port ws_ip = "127.0.0.1" wss = false }
admin: { admin_ws = false }
END
cat > "$folder/janus.plugin.streaming.jcfg" <<END
camera: {
  type = "rtsp"
  id = 1
  url = "$camera"
  video = true
  audio = false
  videopt = 96
  videocodec = "h264"
  videofmtp = "profile-level-id=42e01f;packetization-mode=1"
  rtspiface = "127.0.0.1"
}
END
exec janus --configs-folder="$folder" --config="$folder/janus.jcfg"
