// What is new between two states: what a person must hear about. Pure.

import { isRinging } from './queue';
import type { Fault, Incident, State } from './types';

export interface News {
  /** Incidents that began to ring, or ring again because their seat has gone. */
  alarms: Incident[];
  /** Incidents offered to this seat. */
  offers: Incident[];
  /** Standing faults that were not there before. */
  faults: number;
}

export function news(before: State | null, after: State, seat: string): News {
  const known = new Map((before?.incidents ?? []).map((incident) => [incident.id, incident]));
  const alarms = after.incidents.filter((incident) => {
    const was = known.get(incident.id);
    return isRinging(incident) && (was === undefined || !isRinging(was));
  });
  const offers = after.incidents.filter(
    (incident) => incident.offered_to === seat && known.get(incident.id)?.offered_to !== seat,
  );
  return { alarms, offers, faults: before === null ? 0 : newFaults(before, after) };
}

function newFaults(before: State, after: State): number {
  const known = faultKeys(before);
  return [...faultKeys(after)].filter((key) => !known.has(key)).length;
}

function faultKeys(state: State): Set<string> {
  const key = (owner: string, fault: Fault) => [owner, fault.fault, fault.point, fault.path, fault.camera].join('\n');
  return new Set([
    ...state.faults.map((fault) => key('', fault)),
    ...state.boxes.flatMap((box) => box.faults.map((fault) => key(box.id, fault))),
  ]);
}
