// Plays the tones. Browsers keep silent until somebody touches the page: signing in is that touch, and when it
// was not enough the console says so loudly.

import { period, render, type Standing, type Tone } from './tone';

export type AudioState = AudioContextState | 'none';

class Sound {
  /** What can be heard now, or should be. */
  kind = $state<Tone | 'none'>('none');
  state = $state<AudioState>('none');
  /** The going tone is stopped at this workplace only, as long as the desk is lost. */
  #muted = $state(false);
  #standing: Standing = 'none';
  #context: AudioContext | null = null;
  #output: AudioNode | null = null;
  #analyser: AnalyserNode | null = null;
  #loop: { tone: Tone; gain: GainNode; source: AudioBufferSourceNode } | null = null;
  #single = 0;

  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#settle();
  }

  /** To be called from a gesture; harmless at any other time. */
  async wake(): Promise<void> {
    this.#context ??= this.#open();
    if (this.#context.state !== 'running') await this.#context.resume();
    this.#settle();
  }

  /** Tries without a gesture: some workplaces allow it. */
  try(): void {
    this.#context ??= this.#open();
    this.state = this.#context.state;
  }

  /** Sets the tone that goes on until it is set to `none`. */
  stand(tone: Standing): void {
    this.#standing = tone;
    this.#settle();
  }

  /** Plays a tone once. A going alarm tone is not disturbed. */
  once(tone: Tone): void {
    if (this.#loop !== null) return;
    const mine = (this.#single += 1);
    this.kind = tone;
    setTimeout(() => mine === this.#single && this.#loop === null && (this.kind = 'none'), period(tone) * 1000);
    if (this.#context?.state === 'running') this.#start(tone, false);
  }

  /** Loudest sample of the last half second, 0 to 1. */
  peak(): number {
    if (this.#analyser === null) return 0;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  }

  #open(): AudioContext {
    const context = new AudioContext();
    const limiter = context.createDynamicsCompressor();
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 32_768;
    limiter.connect(this.#analyser).connect(context.destination);
    this.#output = limiter;
    this.state = context.state;
    context.onstatechange = () => {
      this.state = context.state;
      this.#settle();
    };
    return context;
  }

  #settle(): void {
    const wanted = this.#muted ? 'none' : this.#standing;
    if (this.#loop?.tone !== wanted) this.#silence();
    if (wanted === 'none') return;
    this.kind = wanted;
    if (this.#loop === null && this.#context?.state === 'running') {
      const started = this.#start(wanted, true);
      this.#loop = started === null ? null : { tone: wanted, ...started };
    }
  }

  #silence(): void {
    if (this.#loop !== null && this.#context !== null) {
      const now = this.#context.currentTime;
      this.#loop.gain.gain.setTargetAtTime(0, now, 0.01);
      this.#loop.source.stop(now + 0.1);
      this.#loop = null;
    }
    if (this.kind === 'hold-up' || this.kind === 'tamper') this.kind = 'none';
  }

  #start(tone: Tone, loop: boolean): { gain: GainNode; source: AudioBufferSourceNode } | null {
    if (this.#context === null || this.#output === null) return null;
    const samples = render(tone, this.#context.sampleRate);
    const buffer = this.#context.createBuffer(1, samples.length, this.#context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    const gain = this.#context.createGain();
    source.buffer = buffer;
    source.loop = loop;
    source.connect(gain).connect(this.#output);
    source.start();
    return { gain, source };
  }
}

export const sound = new Sound();

declare global {
  interface Window {
    /** For the browser tests: whether sound is really made. */
    __onepress: { readonly toneKind: string; readonly audioState: string; peak(): number };
  }
}

/** Shows tests what is heard. */
export function expose(): void {
  window.__onepress = {
    get toneKind() {
      return sound.kind;
    },
    get audioState() {
      return sound.state;
    },
    peak: () => sound.peak(),
  };
}
