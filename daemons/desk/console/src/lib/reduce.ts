// The state of the centre as this screen has it, and how each server-sent event changes it. Pure.

import type { Announcement, Appliance, Bundle, Fault, Figures, Incident, Rollout, Seat, Site, State } from './types';

export type Change =
  | { type: 'state'; data: State }
  | { type: 'incident'; data: Incident }
  | { type: 'box'; data: Appliance }
  | { type: 'site'; data: Site }
  | { type: 'seats'; data: Seat[] }
  | { type: 'faults'; data: Fault[] }
  | { type: 'figures'; data: Figures }
  | { type: 'announcements'; data: Announcement[] }
  | { type: 'bundles'; data: Bundle[] }
  | { type: 'rollout'; data: Rollout | null }
  | { type: 'tick'; data: { seq: number; now: number } };

/** Names of the events that carry data; `reload` does not. */
export const CHANGES = [
  'incident', 'box', 'site', 'seats', 'faults', 'figures', 'announcements', 'bundles', 'rollout', 'tick',
] as const;

/** The next state. Everything but a whole state is ignored until a whole state is there. */
export function reduce(state: State | null, change: Change): State | null {
  if (change.type === 'state') return { ...change.data, incidents: inOrder(change.data.incidents) };
  if (state === null) return null;
  switch (change.type) {
    case 'incident':
      return { ...state, incidents: withIncident(state.incidents, change.data) };
    case 'box':
      return { ...state, boxes: put(state.boxes, change.data) };
    case 'site':
      return { ...state, sites: put(state.sites, change.data) };
    case 'seats':
      return { ...state, seats: change.data };
    case 'faults':
      return { ...state, faults: change.data };
    case 'figures':
      return { ...state, figures: change.data };
    case 'announcements':
      return { ...state, announcements: change.data };
    case 'bundles':
      return { ...state, bundles: change.data };
    case 'rollout':
      return { ...state, rollout: change.data };
    case 'tick':
      return { ...state, seq: change.data.seq, now: change.data.now };
  }
}

export function isOpen(incident: Incident): boolean {
  return incident.step !== 'closed';
}

function withIncident(incidents: Incident[], incident: Incident): Incident[] {
  const others = incidents.filter((known) => known.id !== incident.id);
  return isOpen(incident) ? inOrder([...others, incident]) : others;
}

/** The desk's queue order: what is real before what is practised, then priority, then time. */
function inOrder(incidents: Incident[]): Incident[] {
  const practised = (incident: Incident) => Number(incident.nature !== 'real');
  return [...incidents].sort(
    (a, b) => practised(a) - practised(b) || a.priority - b.priority || a.received - b.received || a.id - b.id,
  );
}

function put<T extends { id: string }>(known: T[], item: T): T[] {
  const place = known.findIndex((other) => other.id === item.id);
  return place < 0 ? [...known, item] : known.with(place, item);
}
