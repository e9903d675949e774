// What may be done with an incident, as far as the screen offers it; the desk decides. Pure.

import type { Incident, May, Me, Step } from './types';

/** Steps that a seat takes after answering, in their order. */
export const STEPS = ['verified', 'dispatched', 'en-route', 'arrived'] as const satisfies Step[];
const LIFE: Step[] = ['ringing', 'answered', ...STEPS, 'closed'];

export type StepState = 'done' | 'next' | 'later';

/** Whether a step lies behind, is the next one, or comes later. */
export function stepState(now: Step, step: Step): StepState {
  const distance = LIFE.indexOf(step) - LIFE.indexOf(now);
  if (distance <= 0) return 'done';
  return distance === 1 ? 'next' : 'later';
}

/** Outcomes that fit: a test ends as a test, a drill as a drill, and nobody can make a real alarm either. */
export function outcomes(incident: Pick<Incident, 'nature'>): string[] {
  if (incident.nature !== 'real') return [incident.nature];
  return ['handled', 'mistaken', 'false', 'nuisance', 'abandoned', 'duplicate'];
}

export function may(me: Me | null, what: May): boolean {
  return me !== null && me.may.includes(what);
}

/** Identifiers of sites, boxes, points, seats and users. */
export function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);
}

export const PASSWORD_SHORTEST = 10;
export const NOTE_LONGEST = 2000;
export const CONTACTS_MOST = 8;
export const TEST_MINUTES_MOST = 30;
