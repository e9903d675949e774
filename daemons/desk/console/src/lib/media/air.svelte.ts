// Which sites hear this seat: one `Air` for each incident of which it is or was the host. It outlives its view only
// while a message is played: a call-taker who looks at something else must not stop it by that, and a microphone must
// not stay open behind a page.

import { SvelteMap } from 'svelte/reactivity';
import { beginLoop, endLoop } from '../actions.svelte';
import { api } from '../api';
import { clock } from '../clock.svelte';
import { store } from '../store.svelte';
import type { Incident, Playing } from '../types';
import type { LineState } from './line';
import type { Speaker } from './speaker';
import { move, play, renew, type Move, type Talk } from './talk';

export class Air {
  now = $state.raw<Talk>({ can: false, why: 'guest' });
  line = $state<LineState>('connecting');
  microphone = $state(false);
  own = $state.raw<MediaStream | null>(null);
  #publish: string | null = null;
  #speaker: Speaker | null = null;
  #path: string | null = null;
  /** When the loop that this page plays began: another page's is not this one's. */
  #begun: number | null = null;
  #beginning = false;
  #limit: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly id: number) {}

  /** Goes by the incident as it now is, and by the last pass, if there is one. */
  follow(incident: Incident | undefined, publish: string | null = this.#publish): void {
    this.#publish = publish;
    const host = incident?.seat === store.seat;
    // What the incident says counts as well: it is here before the next pass is.
    this.#set(renew(this.now, { mode: incident?.mode ?? 'silent', publish: host ? publish : null }));
    const playing = incident?.playing ?? null;
    this.#turn(playing !== null && playing.since === this.#begun ? playing : null);
  }

  act(what: Move): void {
    if (this.now.can) this.#set(move(this.now, what));
  }

  /** Plays a message as soon as it stands in the journal. */
  async begin(sha256: string): Promise<void> {
    if (!this.now.can || this.#beginning) return;
    this.#beginning = true;
    const begun = await beginLoop(this.id, sha256);
    const incident = store.incidents.find((known) => known.id === this.id);
    if (begun) this.#begun = incident?.playing?.since ?? null;
    this.#beginning = false;
    this.follow(incident);
  }

  /** The site hears it no longer, whatever the desk says. */
  end(broken = false): void {
    this.#begun = null;
    this.#turn(null);
    void endLoop(this.id, broken);
  }

  plays(playing: Playing): boolean {
    return this.#beginning || this.#begun === playing.since;
  }

  close(): void {
    clearTimeout(this.#limit);
    this.#set({ can: false, why: 'guest' });
  }

  #turn(playing: Playing | null): void {
    if (!this.now.can) return;
    clearTimeout(this.#limit);
    // The desk ends it too; a page that has lost the desk has only this.
    if (playing !== null) this.#limit = setTimeout(() => this.end(), Math.max(0, playing.until - clock.exact()));
    this.#set(play(this.now, playing));
  }

  #set(next: Talk): void {
    this.now = next;
    const path = next.can ? next.path : null;
    if (path !== this.#path) {
      this.#speaker?.close();
      [this.#speaker, this.#path, this.microphone, this.own] = [null, path, false, null];
      if (path !== null) void this.#open(path);
    }
    if (next.can) this.#speaker?.set(next);
  }

  async #open(path: string): Promise<void> {
    const { Speaker } = await import('./speaker');
    if (this.#path !== path || this.#speaker !== null || !this.now.can) return;
    const speaker = new Speaker(this.now, {
      pass: () => api.roomPass(this.id),
      message: (sha256) => api.announcementSound(sha256),
      broken: () => this.end(true),
      line: (state) => (this.line = state),
    });
    speaker.onMicrophone((there) => (this.microphone = there));
    speaker.onPicture((stream) => (this.own = stream));
    this.#speaker = speaker;
  }
}

class OnAir {
  readonly all = new SvelteMap<number, Air>();

  /** The one of an incident that is looked at. */
  enter(id: number): Air {
    const air = this.all.get(id) ?? new Air(id);
    this.all.set(id, air);
    return air;
  }

  /** Nobody looks at it any more. */
  leave(id: number): void {
    const air = this.all.get(id);
    air?.act('mute');
    air?.act('hide');
    if (air?.now.can && air.now.message !== null) return;
    air?.close();
    this.all.delete(id);
  }

  /** Goes by what is now true, and ends what an earlier life of this page began. */
  follow(incidents: Incident[], shown: number | null): void {
    for (const [id, air] of this.all) {
      air.follow(incidents.find((incident) => incident.id === id));
      if (id !== shown) this.leave(id);
    }
    for (const { id, playing } of incidents) {
      if (playing?.seat === store.seat && !this.all.get(id)?.plays(playing)) void endLoop(id, true);
    }
  }
}

export const onAir = new OnAir();
