// The own voice and picture. The only module that names @moq/publish; loaded when the host of an ordinary incident
// may be heard, and never for a silent one: it takes a `Voice`, which a silent incident does not have.

import { Broadcast, Net, Signals, Source } from '@moq/publish';
import { door, mustUseWebSocket } from './door';
import { keepLine, withoutWebTransport, type LineState } from './line';
import { isHeard, publishes, type Voice } from './talk';
import type { Pass } from '../types';

export class Speaker {
  readonly #connection = new Signals.Signal<Net.Connection.Established | undefined>(undefined);
  readonly #effect = new Signals.Effect();
  readonly #open = new Signals.Signal(true);
  readonly #muted = new Signals.Signal(true);
  readonly #picture = new Signals.Signal(false);
  readonly #camera: Source.Camera;
  readonly #microphone: Source.Microphone;
  readonly #stop: () => void;

  constructor(voice: Voice, pass: () => Promise<Pass>, tell: (state: LineState) => void) {
    if (mustUseWebSocket(navigator.userAgent, navigator.maxTouchPoints)) withoutWebTransport();
    this.#microphone = new Source.Microphone({ enabled: this.#open });
    this.#camera = new Source.Camera({ enabled: this.#picture });
    const broadcast = new Broadcast({
      connection: this.#connection,
      enabled: this.#open,
      name: Net.Path.from(voice.path),
      audio: { enabled: this.#open, muted: this.#muted, source: this.#microphone.source },
      video: { source: this.#camera.source, hd: { enabled: this.#picture } },
    });
    for (const part of [broadcast, this.#microphone, this.#camera]) this.#effect.cleanup(() => part.close());
    this.#stop = keepLine<Net.Connection.Established>(
      (url, options) => Net.Connection.connect(url, options),
      async () => door(await pass(), location),
      (state, connection) => {
        this.#connection.set(connection);
        tell(state);
      },
    );
    this.set(voice);
  }

  set(voice: Voice): void {
    this.#open.set(publishes(voice));
    this.#muted.set(!isHeard(voice));
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
