// The alarm tones: which one sounds, and how each is made. Pure; sound.svelte.ts plays them.

import { isUnacknowledged } from './queue';
import type { Incident } from './types';

/** `check` is the sound test. */
export type Tone = 'hold-up' | 'tamper' | 'test' | 'offer' | 'fault' | 'check';
export type Standing = 'hold-up' | 'tamper' | 'none';

/** The tone that goes on until somebody acknowledges or answers. Tests and drills have none. */
export function standing(incidents: Incident[]): Standing {
  const loud = incidents.filter((incident) => incident.nature === 'real' && isUnacknowledged(incident));
  if (loud.some((incident) => incident.kind !== 'tamper')) return 'hold-up';
  return loud.length > 0 ? 'tamper' : 'none';
}

interface Note {
  /** Start within the period, seconds. */
  at: number;
  for: number;
  hz: number;
  level: number;
  /** Bright tones carry an octave and a fifth and cut through talk; soft ones are pure and fade. */
  timbre: 'bright' | 'soft';
}

interface Score {
  period: number;
  notes: Note[];
}

const HIGH_LOW: Note[] = [0, 1, 2, 3].map((n) => ({
  at: n * 0.22, for: 0.22, hz: n % 2 === 0 ? 1046 : 784, level: 0.75, timbre: 'bright',
}));

const SCORES: Record<Tone, Score> = {
  'hold-up': { period: 1.2, notes: HIGH_LOW },
  tamper: {
    period: 3.5,
    notes: [0, 0.18].map((at) => ({ at, for: 0.1, hz: 1318, level: 0.55, timbre: 'bright' })),
  },
  test: { period: 1.4, notes: [{ at: 0, for: 1.4, hz: 659, level: 0.35, timbre: 'soft' }] },
  offer: {
    period: 1.4,
    notes: [{ at: 0, for: 0.5, hz: 587, level: 0.4, timbre: 'soft' }, { at: 0.25, for: 1.1, hz: 880, level: 0.4, timbre: 'soft' }],
  },
  fault: { period: 0.9, notes: [{ at: 0, for: 0.9, hz: 196, level: 0.6, timbre: 'soft' }] },
  check: { period: 0.88, notes: HIGH_LOW },
};

/** How long one period lasts, seconds. */
export function period(tone: Tone): number {
  return SCORES[tone].period;
}

/** One period as samples between -1 and 1; it begins and ends at rest, so that it can be looped. */
export function render(tone: Tone, rate: number): Float32Array<ArrayBuffer> {
  const { period, notes } = SCORES[tone];
  const samples = new Float32Array(Math.ceil(period * rate));
  for (const note of notes) {
    const length = Math.floor(note.for * rate);
    const first = Math.floor(note.at * rate);
    for (let n = 0; n < length && first + n < samples.length; n += 1) {
      samples[first + n] = (samples[first + n] ?? 0) + note.level * envelope(note, n / rate) * wave(note, n / rate);
    }
  }
  return samples;
}

function wave({ hz, timbre }: Note, t: number): number {
  const sine = (factor: number) => Math.sin(2 * Math.PI * hz * factor * t);
  return timbre === 'soft' ? sine(1) : 0.6 * sine(1) + 0.25 * sine(2) + 0.15 * sine(3);
}

/** Edges of 8 ms against clicks; soft notes fade away. */
function envelope(note: Note, t: number): number {
  const edge = Math.min(1, t / 0.008, (note.for - t) / 0.008);
  return note.timbre === 'soft' ? edge * Math.exp((-3 * t) / note.for) : edge;
}
