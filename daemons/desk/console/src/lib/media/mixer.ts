// What this seat sends as its sound: its microphone, or a message again and again; never both. One track for as long as
// the broadcast lasts, so that whoever hears it notices nothing when it changes.

import { PAUSE_S } from './loop';

const RATE = 48_000;
/** The encoder fades in: what is said in that time is not heard. */
const LEAD_S = 0.25;

export class Mixer {
  readonly #context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' });
  readonly #out = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 1, channelCountMode: 'explicit' });
  readonly #voice = new GainNode(this.#context, { gain: 0 });
  readonly #load: (sha256: string) => Promise<ArrayBuffer>;
  readonly #broken: () => void;
  #wanted: string | null = null;
  #source: AudioBufferSourceNode | null = null;
  #known: { sha256: string; buffer: AudioBuffer } | null = null;

  constructor(load: (sha256: string) => Promise<ArrayBuffer>, broken: () => void) {
    this.#load = load;
    this.#broken = broken;
    this.#voice.connect(this.#out);
  }

  get rate(): number {
    return RATE;
  }

  get track(): MediaStreamTrack | undefined {
    return this.#out.stream.getAudioTracks()[0];
  }

  /** Takes in a microphone; the answer takes it out again. */
  microphone(track: MediaStreamTrack): () => void {
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: new MediaStream([track]) });
    source.connect(this.#voice);
    return () => source.disconnect();
  }

  /** What is sent from here on. A message that was interrupted begins anew: half of one says something else. */
  set(sounds: { voice: boolean; message: string | null }): void {
    void this.#context.resume();
    this.#voice.gain.value = sounds.voice ? 1 : 0;
    if (sounds.message === this.#wanted) return;
    this.#wanted = sounds.message;
    this.#stop();
    if (sounds.message !== null) void this.#play(sounds.message);
  }

  async #play(sha256: string): Promise<void> {
    try {
      if (this.#known?.sha256 !== sha256) this.#known = { sha256, buffer: await this.#loop(sha256) };
    } catch {
      if (this.#wanted === sha256) this.#broken();
      return;
    }
    // Meanwhile it may have been stopped.
    if (this.#wanted !== sha256 || this.#source !== null || this.#known?.sha256 !== sha256) return;
    this.#source = new AudioBufferSourceNode(this.#context, { buffer: this.#known.buffer, loop: true });
    this.#source.connect(this.#out);
    this.#source.start(this.#context.currentTime + LEAD_S);
  }

  /** A message with the pause after it. */
  async #loop(sha256: string): Promise<AudioBuffer> {
    const sound = await this.#context.decodeAudioData(await this.#load(sha256));
    const pause = Math.round(PAUSE_S * sound.sampleRate);
    const buffer = new AudioBuffer({ length: sound.length + pause, sampleRate: sound.sampleRate, numberOfChannels: 1 });
    buffer.copyToChannel(sound.getChannelData(0), 0);
    return buffer;
  }

  #stop(): void {
    this.#source?.stop();
    this.#source?.disconnect();
    this.#source = null;
  }

  close(): void {
    this.#wanted = null;
    this.#stop();
    void this.#context.close();
  }
}
