// Made-up incidents and states for tests.

import type { Appliance, Incident, State } from '../src/lib/types';

export function incident(id: number, change: Partial<Incident> = {}): Incident {
  return {
    id, kind: 'hold-up', mode: 'silent', nature: 'real', priority: 1, step: 'ringing', received: 1000 * id,
    newest: 1000 * id, durable: true, site: 'school-1', box: 'school-1-gate', alarms: [], presses: 1,
    acknowledged_by: null, acknowledged: null, seat: null, answered: null, offered_to: null, escalated: false,
    requeued: false, outcome: null, note: null, closed: null, boxes: ['school-1-gate'], takes: [], held: false, playing: null,
    ...change,
  };
}

export function box(id: string, change: Partial<Appliance> = {}): Appliance {
  return {
    id, site: 'school-1', enrolment: 'enrolled', paths: [{ id: 'wired', up: true, since: null }], points: [],
    faults: [], waiting: 0, software: null, image: null, certificate_until: null, shown: null, commission: null, selftest: null, cameras: [], watching: [], relay: null,
    ...change,
  };
}

export function state(incidents: Incident[], boxes: Appliance[] = []): State {
  return {
    seq: 1, now: 0, centre: 'c', incidents, sites: [], boxes, seats: [], faults: [],
    figures: { received: 0, answered: 0, within_15_s: null, within_20_s: null, median_ms: null },
    announcements: [], bundles: [], rollout: null,
  };
}
