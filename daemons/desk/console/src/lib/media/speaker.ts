// The own voice and picture, and messages. The only module that names @moq/publish; loaded when the host of an ordinary
// incident may be heard, and never for a silent one: it takes a `Voice`, which a silent incident does not have.

import { Broadcast, Net, Signals, Source, type Audio } from '@moq/publish';
import { door, mustUseWebSocket } from './door';
import { keepLine, withoutWebTransport, type LineState } from './line';
import { Mixer } from './mixer';
import { isHeard, plays, publishes, sounds, type Voice } from './talk';
import type { Pass } from '../types';

export interface Ways {
  /** A new pass. */
  pass: () => Promise<Pass>;
  /** The sound of a message. */
  message: (sha256: string) => Promise<ArrayBuffer>;
  /** It cannot be played. */
  broken: () => void;
  line: (state: LineState) => void;
}

export class Speaker {
  readonly #connection = new Signals.Signal<Net.Connection.Established | undefined>(undefined);
  readonly #effect = new Signals.Effect();
  readonly #open = new Signals.Signal(true);
  readonly #muted = new Signals.Signal(true);
  readonly #picture = new Signals.Signal(false);
  readonly #camera: Source.Camera;
  readonly #microphone: Source.Microphone;
  readonly #mixer: Mixer;
  readonly #stop: () => void;

  constructor(voice: Voice, ways: Ways) {
    if (mustUseWebSocket(navigator.userAgent, navigator.maxTouchPoints)) withoutWebTransport();
    this.#microphone = new Source.Microphone({ enabled: this.#open });
    this.#camera = new Source.Camera({ enabled: this.#picture });
    this.#mixer = new Mixer(ways.message, ways.broken);
    const track = this.#mixer.track as Audio.StreamTrack;
    const broadcast = new Broadcast({
      connection: this.#connection,
      enabled: this.#open,
      name: Net.Path.from(voice.path),
      audio: {
        enabled: this.#open, muted: this.#muted, source: { track, kind: 'voice' }, sampleRate: this.#mixer.rate, channelCount: 1,
      },
      video: { source: this.#camera.source, hd: { enabled: this.#picture } },
    });
    this.#effect.run((effect) => {
      const source = effect.get(this.#microphone.source);
      if (source !== undefined) effect.cleanup(this.#mixer.microphone('track' in source ? source.track : source));
    });
    for (const part of [broadcast, this.#microphone, this.#camera, this.#mixer]) this.#effect.cleanup(() => part.close());
    this.#stop = keepLine<Net.Connection.Established>(
      (url, options) => Net.Connection.connect(url, options),
      async () => door(await ways.pass(), location),
      (state, connection) => {
        this.#connection.set(connection);
        ways.line(state);
      },
    );
    this.set(voice);
  }

  set(voice: Voice): void {
    this.#open.set(publishes(voice));
    this.#mixer.set(sounds(voice));
    this.#muted.set(!isHeard(voice) && !plays(voice));
    this.#picture.set(publishes(voice) && voice.picture);
  }

  /** Tells whether a microphone is there. */
  onMicrophone(tell: (there: boolean) => void): void {
    this.#effect.run((effect) => tell(effect.get(this.#microphone.source) !== undefined));
  }

  /** Tells the own picture. */
  onPicture(tell: (stream: MediaStream | null) => void): void {
    this.#effect.run((effect) => {
      const track = effect.get(this.#camera.source);
      tell(track === undefined ? null : new MediaStream([track]));
    });
  }

  close(): void {
    this.#open.set(false);
    this.#picture.set(false);
    this.#stop();
    this.#effect.close();
  }
}
