// What a screen watches: one pass, one line to the relay, and the cameras that are live behind it.

import { Refusal } from '../api';
import { clock } from '../clock.svelte';
import type { Pass } from '../types';
import { newest, voices, type Take } from './broadcasts';
import { renewIn } from './door';
import type { LineState } from './line';
import type { Player, Relay } from './player';

/** A pass is asked for again this long after a refusal. */
const AGAIN_MS = 5000;

/** A picture does not wait longer for a desk that may be starting. */
const DESK_PATIENCE_MS = 2000;

/** A desk that says no, rather than none at all. */
function refuses(error: unknown): boolean {
  return error instanceof Refusal && error.status >= 400 && error.status < 500;
}

export type StageState = LineState | 'no-relay' | 'refused';

export class Stage {
  state = $state<StageState>('connecting');
  pass = $state.raw<Pass | null>(null);
  refusal = $state.raw<Refusal | null>(null);
  #paths = $state.raw<readonly string[]>([]);
  #relay = $state.raw<Relay | null>(null);
  #library: typeof import('./player') | null = null;
  readonly #ask: () => Promise<Pass>;
  readonly #ends: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  readonly takes: Take[] = $derived(newest(this.#paths));

  /** `live`: with a line to the relay; else only a pass for recordings is kept. */
  constructor(ask: () => Promise<Pass>, private readonly live = true) {
    this.#ask = ask;
    void this.#renew();
  }

  /** Everybody else's broadcasts in the room. */
  voices(own: string): string[] {
    return voices(this.#paths, this.pass?.room ?? null, own);
  }

  /** Plays a broadcast, while there is a line. */
  play(path: string, canvas: HTMLCanvasElement | undefined, muted: boolean): Player | null {
    if (this.#relay === null || this.#library === null) return null;
    return new this.#library.Player(this.#relay, path, canvas, muted);
  }

  /** Asks anew at once: what this seat may do has changed. */
  refresh(): void {
    clearTimeout(this.#timer);
    void this.#renew();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#ends.forEach((end) => end());
    this.#relay?.close();
    this.#relay = null;
  }

  /**
   * A pass to come in with. A new one each time: the relay may have sent away who had the last, because it has become
   * void. While the desk does not answer, the last one is shown as long as it is in time.
   */
  async fresh(): Promise<Pass> {
    const last = this.pass;
    const asked = this.#ask().then((pass) => (this.#closed ? pass : (this.pass = pass)));
    if (last === null || renewIn(last.until, clock.now) === 0) return asked;
    const late = new Promise<Pass>((show) => setTimeout(() => show(last), DESK_PATIENCE_MS));
    return Promise.race([asked.catch((error) => (refuses(error) ? Promise.reject(error) : last)), late]);
  }

  async #renew(): Promise<void> {
    let wait = AGAIN_MS;
    try {
      const pass = await this.#ask();
      if (this.#closed) return;
      this.pass = pass;
      this.refusal = null;
      wait = Math.max(renewIn(pass.until, clock.now), 1000);
      if (!this.live) this.state = 'up';
      else if (this.#relay === null) await this.#open();
      this.#follow(pass);
    } catch (error) {
      this.refusal = error instanceof Refusal ? error : new Refusal(0, 'unexpected', String(error));
      if (this.#relay === null) this.state = this.refusal.error === 'no-relay' ? 'no-relay' : 'refused';
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#renew(), wait);
  }

  async #open(): Promise<void> {
    this.#library = await import('./player');
    if (this.#closed) return;
    this.state = 'connecting';
    this.#relay = new this.#library.Relay(() => this.fresh(), (state) => (this.state = state));
  }

  #followed = new Set<string>();

  #follow(pass: Pass): void {
    const relay = this.#relay;
    if (relay === null) return;
    for (const prefix of pass.see) {
      const below = prefix.startsWith('box/') ? `${prefix}/cam` : prefix;
      if (this.#followed.has(below)) continue;
      this.#followed.add(below);
      this.#ends.push(relay.announced(below, (path, active) => this.#hear(path, active)));
    }
  }

  #hear(path: string, active: boolean): void {
    const others = this.#paths.filter((known) => known !== path);
    this.#paths = active ? [...others, path] : others;
  }
}
