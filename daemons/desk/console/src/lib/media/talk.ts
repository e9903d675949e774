// Whether the site hears this seat, and what. Pure. A silent incident has no value from which anything can be published:
// only `Voice` can, and only an ordinary incident's host is given one.
//
//            press                 hold
//   muted ──────────▶ pressed    any ─────▶ held (publishes nothing)
//     ▲ ◀── release ────┘                     │
//     └──── mute ── latched ◀── latch    ◀────┘ resume: muted
//
// Beside these, a message may be played again and again (looped broadcast). It sounds while the state is muted; a voice
// and a hold interrupt it, and afterwards it goes on.

import type { Pass, Playing } from '../types';

/** Nothing can be said, and why. */
export interface Mute {
  readonly can: false;
  readonly why: 'silent' | 'guest';
}

/** What is played: as the desk has written it down. */
export type Message = Pick<Playing, 'sha256' | 'name' | 'since' | 'until'>;

/** The host of an ordinary incident. */
export interface Voice {
  readonly can: true;
  /** The broadcast. */
  readonly path: string;
  readonly state: 'muted' | 'pressed' | 'latched' | 'held';
  /** The own picture is sent as well. */
  readonly picture: boolean;
  /** What is played, again and again. */
  readonly message: Message | null;
}

export type Talk = Mute | Voice;

export function talk(pass: Pick<Pass, 'mode' | 'publish'>): Talk {
  if (pass.mode !== 'ordinary') return { can: false, why: 'silent' };
  if (pass.publish === null) return { can: false, why: 'guest' };
  return { can: true, path: pass.publish, state: 'muted', picture: false, message: null };
}

/** A new pass of the same room changes nothing that is going on. */
export function renew(now: Talk, pass: Pick<Pass, 'mode' | 'publish'>): Talk {
  const next = talk(pass);
  return now.can && next.can && now.path === next.path ? now : next;
}

export type Move = 'press' | 'release' | 'latch' | 'mute' | 'hold' | 'resume' | 'show' | 'hide';

export function move(now: Voice, what: Move): Voice {
  const { state } = now;
  switch (what) {
    case 'press':
      return state === 'muted' ? { ...now, state: 'pressed' } : now;
    case 'release':
      return state === 'pressed' ? { ...now, state: 'muted' } : now;
    case 'latch':
      return state === 'held' ? now : { ...now, state: 'latched' };
    case 'mute':
      return state === 'held' ? now : { ...now, state: 'muted' };
    case 'hold':
      return { ...now, state: 'held' };
    case 'resume':
      return state === 'held' ? { ...now, state: 'muted' } : now;
    case 'show':
      return { ...now, picture: true };
    case 'hide':
      return { ...now, picture: false };
  }
}

/** Plays a message, or none. The same one goes on. */
export function play(now: Voice, message: Message | null): Voice {
  return now.message?.since === message?.since ? now : { ...now, message };
}

/** Whether the site hears what is said. */
export function isHeard(now: Talk): boolean {
  return now.can && (now.state === 'pressed' || now.state === 'latched');
}

/** Whether the site hears the message. */
export function plays(now: Talk): boolean {
  return now.can && now.state === 'muted' && now.message !== null;
}

/** What the site hears: a voice or a message, never both. */
export function sounds(now: Talk): { voice: boolean; message: string | null } {
  return { voice: isHeard(now), message: now.can && plays(now) ? (now.message?.sha256 ?? null) : null };
}

/** Whether a broadcast exists at all. */
export function publishes(now: Talk): boolean {
  return now.can && now.state !== 'held';
}
