// How an appliance is, in one word, and the list of those that need a look first. Pure.

import type { Appliance, Site, State } from './types';

export type Condition = 'lost' | 'faulty' | 'reduced' | 'waiting' | 'revoked' | 'well';

const ORDER: Condition[] = ['lost', 'faulty', 'reduced', 'waiting', 'well', 'revoked'];

/** `lost`: no path is up. `reduced`: one of several is down, or notices wait at the box. */
export function condition(box: Appliance): Condition {
  if (box.enrolment !== 'enrolled') return box.enrolment;
  const up = box.paths.filter((path) => path.up).length;
  if (up === 0) return 'lost';
  if (box.faults.length > 0 || box.points.some((point) => point.state === 'faulty')) return 'faulty';
  return up < box.paths.length || box.waiting > 0 ? 'reduced' : 'well';
}

export interface Entry {
  box: Appliance;
  site: Site | undefined;
  condition: Condition;
}

export function entries(state: State): Entry[] {
  const sites = new Map(state.sites.map((site) => [site.id, site]));
  return state.boxes
    .map((box) => ({ box, site: box.site === null ? undefined : sites.get(box.site), condition: condition(box) }))
    .sort((a, b) => ORDER.indexOf(a.condition) - ORDER.indexOf(b.condition) || a.box.id.localeCompare(b.box.id));
}

export interface Summary {
  enrolled: number;
  reachable: number;
  faults: number;
  waiting: number;
}

export function summary(state: State): Summary {
  const enrolled = state.boxes.filter((box) => box.enrolment === 'enrolled');
  return {
    enrolled: enrolled.length,
    reachable: enrolled.filter((box) => condition(box) !== 'lost').length,
    faults: state.faults.length + state.boxes.reduce((sum, box) => sum + box.faults.length, 0),
    waiting: state.boxes.reduce((sum, box) => sum + box.waiting, 0),
  };
}
