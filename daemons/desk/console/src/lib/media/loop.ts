// Recorded messages: what may become one, and the file that is made of it. Pure.
//
// Whatever the browser can decode is made into WAV, 16 bit, one channel: the desk judges that without knowing codecs,
// and every browser plays it.

import { wav } from './wav';

/** Length of a message, seconds: as the desk has it. */
export const LONGEST_S = 60;
export const SHORTEST_S = 0.5;
/** Characters of a name: as the desk has it. */
export const NAME_LONGEST = 40;
/** Messages of a centre: as the desk has it. */
export const MOST = 40;
/** Sampling rate of what is kept: twice what a voice needs, half the size of what Opus can do. */
export const RATE = 24_000;
/** Largest file that is opened: a minute of uncompressed stereo at 96 kHz and 24 bits; more only fills the memory. */
export const FILE_LARGEST = 36 * 1024 * 1024;
/** Silence between two passes, seconds: enough to know that it begins anew. */
export const PAUSE_S = 1;
/** The loudest sample must reach this: as the desk has it. */
const HEARD = 0.01;

export type Bad = 'file-too-large' | 'not-a-sound' | 'sound-too-long' | 'sound-too-short' | 'sound-silent';

/** What is wrong with a file before it is decoded. */
export function badFile(size: number): Bad | null {
  if (size > FILE_LARGEST) return 'file-too-large';
  return size === 0 ? 'not-a-sound' : null;
}

/** What is wrong with decoded samples. */
export function badSound(samples: Float32Array, rate: number): Bad | null {
  const seconds = samples.length / rate;
  if (seconds > LONGEST_S) return 'sound-too-long';
  if (seconds < SHORTEST_S) return 'sound-too-short';
  return samples.some((sample) => Math.abs(sample) >= HEARD) ? null : 'sound-silent';
}

/** The file that the desk keeps, or why there is none. */
export function message(samples: Float32Array, rate: number): { file: Blob } | { bad: Bad } {
  const bad = badSound(samples, rate);
  return bad === null ? { file: new Blob([wav(samples, rate)], { type: 'audio/wav' }) } : { bad };
}

/** A name for a file that somebody chose: without its ending. */
export function nameOf(file: string): string {
  return [...file.replace(/\.[^.]*$/, '').trim()].slice(0, NAME_LONGEST).join('');
}

/** `1:05` for 65 400 ms. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
