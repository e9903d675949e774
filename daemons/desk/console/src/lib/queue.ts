// What the queue shows and which incident a key means. Pure.

import type { Incident } from './types';

export interface Groups {
  ringing: Incident[];
  offered: Incident[];
  mine: Incident[];
  others: Incident[];
}

export function isRinging(incident: Incident): boolean {
  return incident.step === 'ringing';
}

export function isUnacknowledged(incident: Incident): boolean {
  return isRinging(incident) && incident.acknowledged === null;
}

/** Ringing incidents first, then what this seat is asked to take, what it owns, and the rest. */
export function groups(incidents: Incident[], seat: string): Groups {
  const all: Groups = { ringing: [], offered: [], mine: [], others: [] };
  for (const incident of incidents) {
    if (isRinging(incident)) all.ringing.push(incident);
    else if (incident.offered_to === seat) all.offered.push(incident);
    else if (incident.seat === seat) all.mine.push(incident);
    else all.others.push(incident);
  }
  return all;
}

/** The order in which the rows stand on the screen. */
export function rows(incidents: Incident[], seat: string): Incident[] {
  const { ringing, offered, mine, others } = groups(incidents, seat);
  return [...ringing, ...offered, ...mine, ...others];
}

/** The incident a key acts on: the one on the screen when it fits, else the top one that fits. */
export function target(
  incidents: Incident[],
  selected: number | null,
  fits: (incident: Incident) => boolean,
): Incident | undefined {
  const fitting = incidents.filter(fits);
  return fitting.find((incident) => incident.id === selected) ?? fitting[0];
}

/**
 * What the middle of the screen shows next. A new alarm takes the place only when the seat works on nothing:
 * not while an incident of its own or another ringing one stands there.
 */
export function select(
  selected: number | null,
  incidents: Incident[],
  seat: string,
  newAlarm: boolean,
): number | null {
  const shown = incidents.find((incident) => incident.id === selected);
  const { ringing, offered, mine } = groups(incidents, seat);
  const busy = shown !== undefined && (isRinging(shown) || shown.seat === seat);
  if (shown !== undefined && (busy || !newAlarm)) return shown.id;
  return (ringing[0] ?? offered[0] ?? mine[0] ?? shown)?.id ?? null;
}

export type Ageing = 'fresh' | 'ageing' | 'late' | 'overdue';

/** How long an incident may ring: 15 s and 20 s (NENA-STA-020), 60 s (EN 50518). */
export function ageing(seconds: number): Ageing {
  if (seconds >= 60) return 'overdue';
  if (seconds >= 20) return 'late';
  return seconds >= 15 ? 'ageing' : 'fresh';
}
