// Which cameras a screen shows, live or not. Pure.

import type { Appliance, Camera, Incident } from '../types';
import { cameraKey, type Take } from './broadcasts';

export interface Shown {
  box: string;
  camera: string;
  /** What to play; null while there is no picture. */
  live: Take | null;
  /** What the relay knows of it. */
  known: Camera | null;
}

/** A relay is an appliance of the centre with such a name; the desk goes by the same. */
export function isRelay(box: Appliance): boolean {
  return box.site === null && /^relay(-|$)/.test(box.id);
}

/** Whether this centre has a relay at all. */
export function hasRelay(boxes: Appliance[]): boolean {
  return boxes.some((box) => isRelay(box) && box.enrolment === 'enrolled');
}

/** The cameras of an incident: those that are live, that relays know, and that have recordings. */
export function shownCameras(incident: Pick<Incident, 'boxes' | 'takes'>, boxes: Appliance[], live: Take[]): Shown[] {
  const own = boxes.filter((box) => incident.boxes.includes(box.id));
  const names = [
    ...own.flatMap((box) => box.cameras.map((camera) => ({ box: box.id, camera: camera.id }))),
    ...live.filter((take) => incident.boxes.includes(take.box)),
    ...incident.takes.flatMap(({ box, camera }) => (box === null || camera === null ? [] : [{ box, camera }])),
  ];
  const found = new Map(names.map((name) => [cameraKey(name), name]));
  return [...found.values()]
    .sort((a, b) => cameraKey(a).localeCompare(cameraKey(b)))
    .map(({ box, camera }) => ({
      box,
      camera,
      live: live.find((take) => take.box === box && take.camera === camera) ?? null,
      known: own.find((one) => one.id === box)?.cameras.find((one) => one.id === camera) ?? null,
    }));
}

/** A camera's name for people: with its box where several are shown. */
export function cameraName(one: { box: string; camera: string }, shared: boolean): string {
  return shared ? `${one.box} · ${one.camera}` : one.camera;
}

export interface MosaicTile {
  incident: Incident;
  camera: Shown;
}

/** Every camera of the open incidents once, with the first incident in the queue that it belongs to. */
export function mosaic(incidents: Incident[], boxes: Appliance[], live: Take[]): MosaicTile[] {
  const seen = new Set<string>();
  return incidents.flatMap((incident) =>
    shownCameras(incident, boxes, live).flatMap((camera) => {
      const key = cameraKey(camera);
      if (seen.has(key)) return [];
      seen.add(key);
      return [{ incident, camera }];
    }),
  );
}
