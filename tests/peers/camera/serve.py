"""Cameras played by GStreamer over RTSP, as peers for daemons/camera/tests.

Usage: /usr/bin/python3 serve.py [PORT [basic|digest]]

Prints "ready PORT" when it listens on loopback. Mounts:

    /h264 /h264-pcmu /h264-pcma /h264-aac /h265, and /h264-udp, which refuses to send within the connection

Each shows a small picture, 15 frames a second, a key frame every second, and gives a tone of 1000 Hz. The picture
carries its number: 16 blocks of 20 by 32 pixels in the first row are its bits (white is 1, the highest bit first), the
blocks of the second row are the same bits inverted. Numbers of a mount go on when a client comes back.

With basic or digest everybody has to log in that way, as "admin" with the password "secret".

One order a line on the standard input, answered by "done":

    jump SECONDS    time stamps go on so much later (or, with a minus sign, earlier)
    size W H        another picture size, with new parameter sets
    freeze          no picture and no sound any more, the connections stay
    thaw            they go on
    log FILE        each picture's number and when it was made (Unix milliseconds) from now on, a line each
    lose N          the next N packets of the picture are lost on the way
"""

import math
import struct
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

FPS = 15
BLOCK_W, BLOCK_H, BITS = 20, 32, 16
H264 = (
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=300 threads=1 "
    "! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1"
)
H265 = (
    "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=300 option-string=pools=1:frame-threads=1 "
    "! rtph265pay name=pay0 pt=96 config-interval=-1"
)
RATE = 8000
TONE_HZ = 1000
# Sound in one push.
CHUNK_MS = 20
TONE = f"appsrc name=tone is-live=true format=time caps=audio/x-raw,format=S16LE,layout=interleaved,rate={RATE},channels=1 ! "
MOUNTS = {
    "/h264": (H264, ""),
    "/h264-pcmu": (H264, TONE + "mulawenc ! rtppcmupay name=pay1 pt=0"),
    "/h264-pcma": (H264, TONE + "alawenc ! rtppcmapay name=pay1 pt=8"),
    "/h264-aac": (
        H264,
        TONE + "audioresample ! audioconvert ! audio/x-raw,rate=48000 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    ),
    "/h265": (H265, ""),
    "/h264-udp": (H264, ""),
}


class Orders:
    """What the standard input has said."""

    def __init__(self):
        self.jump = 0
        self.size = (320, 240)
        self.frozen = False
        self.lost = 0
        self.log = None

    def obey(self, line):
        words = line.split()
        if words[:1] == ["jump"] and len(words) == 2:
            self.jump += int(float(words[1]) * Gst.SECOND)
        elif words[:1] == ["size"] and len(words) == 3:
            self.size = (int(words[1]), int(words[2]))
        elif words in (["freeze"], ["thaw"]):
            self.frozen = words == ["freeze"]
        elif words[:1] == ["log"] and len(words) == 2:
            self.log = open(words[1], "a", buffering=1)
        elif words[:1] == ["lose"] and len(words) == 2:
            self.lost = int(words[1])
        else:
            raise ValueError(f"not an order: {line!r}")


def picture(number, width, height):
    """An I420 picture with its number."""

    def row(value):
        bits = format(value & 0xFFFF, "016b")
        line = b"".join((b"\xeb" if bit == "1" else b"\x10") * BLOCK_W for bit in bits)
        return line[:width].ljust(width, b"\x80") * BLOCK_H

    luma = row(number) + row(~number)
    # Something moves, so that frames differ in length.
    band = bytes((number * 7 + x) % 200 + 20 for x in range(width)) * 8
    luma = (luma + band).ljust(width * height, b"\x60")[: width * height]
    return luma + b"\x80" * (2 * (width // 2) * (height // 2))


def tone():
    """A chunk of sound: whole periods, so that one chunk fits the next."""
    count = RATE * CHUNK_MS // 1000
    samples = (int(12000 * math.sin(2 * math.pi * TONE_HZ * n / RATE)) for n in range(count))
    return struct.pack(f"<{count}h", *samples)


class Pump:
    """Pushes buffers at an even rate, with even time stamps, from the pipeline's beginning to its end."""

    def __init__(self, source, media, every, make):
        self.source, self.every, self.make = source, every, make
        self.next = None
        self.alive = True
        media.connect("unprepared", self.stop)
        GLib.timeout_add(5, self.tick)

    def stop(self, _media):
        self.alive = False

    def tick(self):
        clock = self.source.get_clock()
        if self.alive and clock:
            now = clock.get_time() - self.source.get_base_time()
            self.next = now if self.next is None else self.next
            while self.next <= now:
                self.push()
        return self.alive

    def push(self):
        buffer = Gst.Buffer.new_wrapped(self.make())
        buffer.pts = self.next
        buffer.duration = self.every
        self.source.emit("push-buffer", buffer)
        self.next += self.every


class Factory(GstRtspServer.RTSPMediaFactory):
    """One mount."""

    def __init__(self, video, sound, orders):
        super().__init__()
        self.number = 0
        self.orders = orders
        source = "appsrc name=picture is-live=true format=time max-buffers=64 max-bytes=0 max-time=0 leaky-type=2 ! "
        self.set_launch(f"( {source}{video} {sound} )")
        self.set_shared(True)

    def configure(self, media):
        parts = media.get_element()
        for name in ("pay0", "pay1"):
            pay = parts.get_by_name(name)
            if pay:
                pay.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.shift)
        packets = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
        parts.get_by_name("pay0").get_static_pad("src").add_probe(packets, self.lose)
        picture = parts.get_by_name("picture")
        shown = []
        Pump(picture, media, Gst.SECOND // FPS, lambda: self.frame(picture, shown))
        if sound := parts.get_by_name("tone"):
            chunk = tone()
            Pump(sound, media, CHUNK_MS * Gst.MSECOND, lambda: chunk)

    def shift(self, _pad, info):
        if self.orders.frozen:
            return Gst.PadProbeReturn.DROP
        buffer = info.get_buffer()
        if self.orders.jump and buffer.pts != Gst.CLOCK_TIME_NONE:
            # Earlier than the beginning of the stream cannot be said.
            buffer.pts = max(0, buffer.pts + self.orders.jump)
        return Gst.PadProbeReturn.OK

    def lose(self, _pad, info):
        if self.orders.lost == 0:
            return Gst.PadProbeReturn.OK
        several = info.get_buffer_list()
        self.orders.lost = max(0, self.orders.lost - (several.length() if several else 1))
        return Gst.PadProbeReturn.DROP

    def frame(self, source, shown):
        width, height = self.orders.size
        if shown != [width, height]:
            shown[:] = [width, height]
            caps = f"video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1"
            source.set_property("caps", Gst.Caps.from_string(caps))
        self.number += 1
        if self.orders.log:
            print(self.number, round(time.time() * 1000), file=self.orders.log)
        return picture(self.number, width, height)


def demand_login(server, how):
    """Everybody who comes has to say who he is."""
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "viewer")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST if how == "digest" else GstRtsp.RTSPAuthMethod.BASIC)
    if how == "digest":
        auth.add_digest("admin", "secret", token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("admin", "secret"), token)
    server.set_auth(auth)


def viewers():
    permissions = GstRtspServer.RTSPPermissions.new()
    for what in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", what, True)
    return permissions


def obey(orders, loop):
    for line in sys.stdin:
        orders.obey(line)
        print("done", flush=True)
    # Whoever started this has gone.
    loop.quit()


def main(port="0", login=None):
    Gst.init(None)
    loop = GLib.MainLoop()
    orders = Orders()
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if login:
        demand_login(server, login)
    for path, (video, sound) in MOUNTS.items():
        factory = Factory(video, sound, orders)
        if path.endswith("-udp"):
            factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        factory.set_permissions(viewers())
        factory.connect("media-configure", lambda factory, media: factory.configure(media))
        server.get_mount_points().add_factory(path, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    threading.Thread(target=obey, args=(orders, loop), daemon=True).start()
    print("ready", server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:3])
