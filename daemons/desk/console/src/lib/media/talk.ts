// Whether the site hears this seat. Pure. A silent incident has no value from which anything can be published: only
// `Voice` can, and only an ordinary incident's host is given one.
//
//            press                 hold
//   muted ──────────▶ pressed    any ─────▶ held (publishes nothing)
//     ▲ ◀── release ────┘                     │
//     └──── mute ── latched ◀── latch    ◀────┘ resume: muted

import type { Pass } from '../types';

/** Nothing can be said, and why. */
export interface Mute {
  readonly can: false;
  readonly why: 'silent' | 'guest';
}

/** The host of an ordinary incident. */
export interface Voice {
  readonly can: true;
  /** The broadcast. */
  readonly path: string;
  readonly state: 'muted' | 'pressed' | 'latched' | 'held';
  /** The own picture is sent as well. */
  readonly picture: boolean;
}

export type Talk = Mute | Voice;

export function talk(pass: Pick<Pass, 'mode' | 'publish'>): Talk {
  if (pass.mode !== 'ordinary') return { can: false, why: 'silent' };
  if (pass.publish === null) return { can: false, why: 'guest' };
  return { can: true, path: pass.publish, state: 'muted', picture: false };
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

/** Whether the site hears what is said. */
export function isHeard(now: Talk): boolean {
  return now.can && (now.state === 'pressed' || now.state === 'latched');
}

/** Whether a broadcast exists at all. */
export function publishes(now: Talk): boolean {
  return now.can && now.state !== 'held';
}
