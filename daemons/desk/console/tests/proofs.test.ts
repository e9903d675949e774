import { expect, test } from 'vitest';
import { proved, secondsOf } from '../src/lib/proofs';
import type { Proof } from '../src/lib/types';
import { box } from './made';

function proof(point: string, ms: number, failed: string | null = null): Proof {
  return { point, how: 'contact', ms, failed, at: 5000 + ms, proved: failed === null ? 5000 + ms : 1000 };
}

function tested(id: string, points: Proof[]) {
  return box(id, { selftest: { at: 5000, cause: 'daily', whole: true, points } });
}

test('points are counted over boxes, and the slowest that passed is named', () => {
  const boxes = [tested('a', [proof('gate', 410), proof('hall', 30)]), tested('b', [proof('yard', 750, 'deaf')]), box('c')];
  const all = proved(boxes);
  expect([all.passed, all.points, all.slowest?.box, all.slowest?.proof.point, all.since]).toEqual([2, 3, 'a', 'gate', 5030]);
  expect(secondsOf(all.slowest?.proof.ms ?? 0)).toBe('0.41');
});

test('boxes that are out of service or have told nothing do not count', () => {
  expect(proved([box('c'), { ...tested('d', [proof('gate', 3)]), enrolment: 'revoked' }])).toEqual({ points: 0, passed: 0, slowest: null, since: null });
});
