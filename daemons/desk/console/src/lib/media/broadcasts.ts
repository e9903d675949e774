// Which broadcast of a camera to show: names as the relay announces them. Pure.

/** One run of one camera. */
export interface Take {
  /** The broadcast. */
  path: string;
  box: string;
  camera: string;
  /** Unix milliseconds of its time zero, by the box's clock. */
  began: number;
}

/** Reads `box/<box>/cam/<camera>/<began>`; nothing else carries a picture. */
export function take(path: string): Take | null {
  const [kind, box, cam, camera, began, ...rest] = path.split('/');
  if (kind !== 'box' || cam !== 'cam' || rest.length > 0 || !box || !camera || !/^\d+$/.test(began ?? '')) return null;
  return { path, box, camera, began: Number(began) };
}

/** A camera's name at the centre. */
export function cameraKey(one: { box: string; camera: string }): string {
  return `${one.box}/${one.camera}`;
}

/** The newest take of each camera, by box and camera: an older one has ended or is about to. */
export function newest(paths: Iterable<string>): Take[] {
  const found = new Map<string, Take>();
  for (const path of paths) {
    const one = take(path);
    if (one === null) continue;
    const known = found.get(cameraKey(one));
    if (known === undefined || known.began < one.began) found.set(cameraKey(one), one);
  }
  return [...found.values()].sort((a, b) => cameraKey(a).localeCompare(cameraKey(b)));
}

/** Voices of a room that this seat should hear: everybody's but its own. */
export function voices(paths: Iterable<string>, room: string | null, own: string): string[] {
  if (room === null) return [];
  return [...paths].filter((path) => path.startsWith(`${room}/`) && path !== own).sort();
}
