// Pictures and sound of the relay. The only module that names @moq/watch; loaded when the first picture is wanted.

import { Audio, Broadcast, Net, Signals, Sync, Video } from '@moq/watch';
import { door, mustUseWebSocket } from './door';
import { delay, loss, rates, type Figures, type Sample } from './figures';
import { keepLine, withoutWebTransport, type LineState } from './line';
import type { Pass } from '../types';

type Established = Net.Connection.Established;

/** A connection on which pictures are watched. */
export class Relay {
  readonly connection = new Signals.Signal<Established | undefined>(undefined);
  readonly #stop: () => void;

  constructor(pass: () => Promise<Pass>, tell: (state: LineState) => void) {
    if (mustUseWebSocket(navigator.userAgent, navigator.maxTouchPoints)) withoutWebTransport();
    this.#stop = keepLine<Established>(
      (url, options) => Net.Connection.connect(url, options),
      async () => door(await pass(), location),
      (state, connection) => {
        this.connection.set(connection);
        tell(state);
      },
    );
  }

  /** Hears what is announced below a prefix, whole paths; all of it ends when the line is down. */
  announced(prefix: string, hear: (path: string, active: boolean) => void): () => void {
    const effect = new Signals.Effect((effect) => {
      const connection = effect.get(this.connection);
      if (connection === undefined) return;
      const active = new Set<string>();
      const news = connection.announced(Net.Path.from(prefix));
      effect.cleanup(() => {
        news.close();
        active.forEach((path) => hear(path, false));
      });
      effect.spawn(async () => {
        for (;;) {
          const one = await news.next();
          if (one === undefined) return;
          const path = one.path === '' ? prefix : `${prefix}/${one.path}`;
          if (one.active) active.add(path);
          else active.delete(path);
          hear(path, one.active);
        }
      });
    });
    return () => effect.close();
  }

  close(): void {
    this.#stop();
    this.connection.set(undefined);
  }
}

/** One broadcast on a canvas and in the speakers. Nothing is decoded while the canvas is not on the screen. */
export class Player {
  readonly #effect = new Signals.Effect();
  readonly #relay: Relay;
  readonly #video: Video.Decoder;
  readonly #renderer: Video.Renderer;
  readonly #audio: Audio.Source;
  readonly #muted: Signals.Signal<boolean>;
  #before: Sample | null = null;

  constructor(relay: Relay, path: string, canvas: HTMLCanvasElement | undefined, muted: boolean) {
    this.#relay = relay;
    const connection = relay.connection;
    const broadcast = new Broadcast({ connection, enabled: true, name: Net.Path.from(path), reload: true });
    const video = new Video.Source({ broadcast, supported: Video.Decoder.supported });
    const audio = new Audio.Source({ broadcast, supported: Audio.Decoder.supported });
    const sync = new Sync({ latency: 'real-time', connection, video: video.out.jitter, audio: audio.out.jitter });
    this.#audio = audio;
    const shown = new Signals.Signal(false);
    const heard = new Signals.Signal(false);
    this.#muted = new Signals.Signal(muted);
    this.#video = new Video.Decoder(video, sync, { enabled: shown });
    this.#renderer = new Video.Renderer(this.#video, { canvas, visible: '0px' });
    const sound = new Audio.Decoder(audio, sync, { enabled: heard });
    const emitter = new Audio.Emitter(sound, { volume: 1, muted: this.#muted, paused: false });
    this.#effect.run((effect) => shown.set(effect.get(this.#renderer.out.visible)));
    this.#effect.run((effect) => heard.set(effect.get(emitter.out.enabled)));
    for (const part of [broadcast, video, audio, sync, this.#video, this.#renderer, sound, emitter]) {
      this.#effect.cleanup(() => part.close());
    }
  }

  /** Tells whether there is a picture, and its size. */
  onPicture(tell: (size: { width: number; height: number } | null) => void): void {
    this.#effect.run((effect) => {
      const frame = effect.get(this.#renderer.out.frame);
      const size = effect.get(this.#video.out.display);
      tell(frame === undefined ? null : (size ?? { width: frame.displayWidth, height: frame.displayHeight }));
    });
  }

  /** Tells whether it is a picture, or sound alone. */
  onKind(tell: (kind: 'picture' | 'sound' | null) => void): void {
    this.#effect.run((effect) => {
      const [picture, sound] = [this.#video.source.out.catalog, this.#audio.out.catalog].map((part) => effect.get<unknown>(part));
      tell(picture !== undefined ? 'picture' : sound !== undefined ? 'sound' : null);
    });
  }

  /** The time of day of the picture on the screen, by the clock of the take. */
  shown(began: number): number | null {
    const timestamp = this.#renderer.out.timestamp.peek();
    return timestamp === undefined ? null : began + timestamp;
  }

  /** Tells why there is none: a codec that this browser does not know. */
  onUnplayable(tell: (unplayable: boolean) => void): void {
    this.#effect.run((effect) => tell(effect.get(this.#video.source.out.error) === 'unsupported'));
  }

  set muted(muted: boolean) {
    this.#muted.set(muted);
  }

  /** Asked about once a second. `began` is the time zero of the take, `now` the desk's clock. */
  async figures(began: number, now: number): Promise<Figures> {
    const connection = this.#relay.connection.peek();
    const stats = this.#video.out.stats.peek();
    const sample = { at: performance.now(), frames: stats?.frameCount ?? 0, bytes: stats?.bytesReceived ?? 0 };
    const { rate, kbits } = rates(this.#before, sample);
    this.#before = sample;
    const packets = await connection?.stats();
    return {
      transport: connection?.transport ?? null,
      rate,
      kbits,
      delay: delay(began, this.#renderer.out.timestamp.peek(), now),
      roundTrip: connection?.probe.peek().rtt ?? null,
      loss: loss(packets?.packetsReceived, packets?.packetsLost),
    };
  }

  close(): void {
    this.#effect.close();
  }
}
