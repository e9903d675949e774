// How many points have proved themselves, over a box, a site or the whole centre. Pure.

import type { Appliance, Proof } from './types';

/** Of many boxes, in one line. */
export interface Proved {
  points: number;
  passed: number;
  /** The slowest that passed. */
  slowest: { box: string; proof: Proof } | null;
  /** The oldest last proof among those that passed. */
  since: number | null;
}

export function proved(boxes: Appliance[]): Proved {
  const all = boxes
    .filter((box) => box.enrolment === 'enrolled')
    .flatMap((box) => (box.selftest?.points ?? []).map((proof) => ({ box: box.id, proof })));
  const passed = all.filter(({ proof }) => proof.failed === null);
  const slowest = passed.reduce<Proved['slowest']>((slow, one) => (slow === null || one.proof.ms > slow.proof.ms ? one : slow), null);
  const times = passed.map(({ proof }) => proof.proved ?? proof.at);
  return { points: all.length, passed: passed.length, slowest, since: times.length === 0 ? null : Math.min(...times) };
}

/** `0.41` */
export function secondsOf(ms: number): string {
  return (ms / 1000).toFixed(2);
}
