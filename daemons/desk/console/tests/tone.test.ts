import { expect, test } from 'vitest';
import { period, render, standing, type Tone } from '../src/lib/tone';
import { incident } from './made';

const RATE = 48_000;
const TONES: Tone[] = ['hold-up', 'tamper', 'test', 'offer', 'fault', 'check'];

test('what goes on sounding', () => {
  expect(standing([])).toBe('none');
  expect(standing([incident(1)])).toBe('hold-up');
  expect(standing([incident(1, { kind: 'tamper' })])).toBe('tamper');
  expect(standing([incident(1, { kind: 'tamper' }), incident(2)])).toBe('hold-up');
  expect(standing([incident(1, { acknowledged: 5 }), incident(2, { step: 'answered' })])).toBe('none');
  expect(standing([incident(1, { nature: 'test' })])).toBe('none');
});

test('every tone is loud enough, does not clip, and loops without a click', () => {
  for (const tone of TONES) {
    const samples = render(tone, RATE);
    expect(samples.length).toBe(Math.ceil(period(tone) * RATE));
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(peak, tone).toBeGreaterThan(0.2);
    expect(peak, tone).toBeLessThanOrEqual(1);
    expect(Math.abs(samples[0] ?? 1), tone).toBeLessThan(0.02);
    expect(Math.abs(samples.at(-1) ?? 1), tone).toBeLessThan(0.02);
  }
});

/** Power at one frequency (Goertzel). */
function power(samples: Float32Array, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / RATE);
  let [a, b] = [0, 0];
  for (const sample of samples) [a, b] = [sample + k * a - b, a];
  return (a * a + b * b - k * a * b) / samples.length;
}

test('the hold-up tone is two tones, and no other tone is like it', () => {
  const first = render('hold-up', RATE).subarray(0, RATE * 0.2);
  expect(power(first, 1046)).toBeGreaterThan(20 * power(first, 784));
  const second = render('hold-up', RATE).subarray(RATE * 0.23, RATE * 0.43);
  expect(power(second, 784)).toBeGreaterThan(20 * power(second, 1046));
  for (const tone of ['tamper', 'test', 'fault'] as const) {
    const samples = render(tone, RATE);
    expect(power(samples, 1046) + power(samples, 784), tone).toBeLessThan(power(first, 1046) / 10);
  }
});
