// The desk's HTTP interface. Same origin, session cookie; every change carries the header that a foreign page
// cannot send.

import type {
  Account, Announcement, Appliance, Bundle, Close, Hold, Incident, Line, Me, NewAccount, NewBox, NewLoop, NewName,
  NewRollout, NewSetup, NewWatch, Pass, Problem, Role, Rollout, Setup, SignIn, Site, Snapshot, State, Ticket,
} from './types';

/** The desk said no, or did not answer at all (`offline`). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly error: string,
    readonly detail: string,
  ) {
    super(`${error}: ${detail}`);
  }
}

/** Longest wait for an answer: a desk that is silent for longer is not there. */
const PATIENCE_MS = 10_000;

async function problem(answer: Response): Promise<Refusal> {
  const said = (await answer.json().catch(() => ({}))) as Partial<Problem>;
  return new Refusal(answer.status, said.error ?? 'unexpected', said.detail ?? `HTTP ${answer.status}`);
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['x-onepress'] = '1';
  const file = body instanceof Blob ? body : null;
  if (body !== undefined) headers['content-type'] = file?.type ?? 'application/json';
  const init: RequestInit = { method, headers, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) init.body = file ?? JSON.stringify(body);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(`/api/${path}`, init);
    if (!answer.ok) throw await problem(answer);
    text = await answer.text();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(0, 'offline', String(error));
  }
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Sends a large file and tells how much of it has gone; `fetch` cannot. The desk looks at all of it before it answers. */
function upload<T>(path: string, file: Blob, progress: (sent: number) => void): Promise<T> {
  return new Promise((done, refuse) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/${path}`);
    request.setRequestHeader('x-onepress', '1');
    request.setRequestHeader('content-type', 'application/x-tar');
    request.responseType = 'json';
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onerror = () => refuse(new Refusal(0, 'offline', 'the upload was cut off'));
    request.onload = () => {
      const said = (request.response ?? {}) as Partial<Problem>;
      if (request.status < 300) return done(request.response as T);
      refuse(new Refusal(request.status, said.error ?? 'unexpected', said.detail ?? `HTTP ${request.status}`));
    };
    request.send(file);
  });
}

const get = <T>(path: string) => ask<T>('GET', path);
const post = <T>(path: string, body?: unknown) => ask<T>('POST', path, body);
const put = <T>(path: string, body?: unknown) => ask<T>('PUT', path, body);
const remove = <T>(path: string) => ask<T>('DELETE', path);
const name = encodeURIComponent;

export const api = {
  setup: () => get<Setup>('setup'),
  setUp: (first: NewSetup) => post<Me>('setup', first),
  signIn: (who: SignIn) => post<Me>('session', who),
  me: () => get<Me>('session'),
  signOut: () => remove<void>('session'),
  state: () => get<State>('state'),

  acknowledge: (id: number) => post<Incident>(`incidents/${id}/acknowledge`),
  answer: (id: number) => post<Incident>(`incidents/${id}/answer`),
  offer: (id: number, to: string) => post<Incident>(`incidents/${id}/offer`, { to }),
  accept: (id: number) => post<Incident>(`incidents/${id}/accept`),
  withdraw: (id: number) => post<Incident>(`incidents/${id}/withdraw`),
  progress: (id: number, step: string) => post<Incident>(`incidents/${id}/progress`, { step }),
  close: (id: number, how: Close) => post<Incident>(`incidents/${id}/close`, how),
  journal: (id: number) => get<Line[]>(`incidents/${id}/journal`),
  closed: (before?: number) => get<Incident[]>(`incidents/closed${before === undefined ? '' : `?before=${before}`}`),

  addSite: (site: Site) => post<unknown>('sites', site),
  changeSite: (site: Site) => put<unknown>(`sites/${name(site.id)}`, site),
  openTest: (site: string, minutes: number) => post<unknown>(`sites/${name(site)}/test`, { minutes }),
  closeTest: (site: string) => remove<unknown>(`sites/${name(site)}/test`),
  addBox: (box: NewBox) => post<unknown>('boxes', box),
  ticket: (box: string) => post<Ticket>(`boxes/${name(box)}/ticket`),
  selfTest: (box: string) => post<Appliance>(`boxes/${name(box)}/self-test`),
  commission: (box: string) => post<Appliance>(`boxes/${name(box)}/commission`),
  revoke: (box: string) => remove<unknown>(`boxes/${name(box)}`),

  roomPass: (id: number) => post<Pass>(`incidents/${id}/pass`),
  wallPass: () => get<Pass>('wall/pass'),
  watch: (box: string, look: NewWatch) => post<Appliance>(`boxes/${name(box)}/watch`, look),
  unwatch: (box: string) => remove<unknown>(`boxes/${name(box)}/watch`),
  watchPass: (box: string) => post<Pass>(`boxes/${name(box)}/pass`),
  hold: (id: number, held: boolean) => put<Incident>(`incidents/${id}/hold`, { held } satisfies Hold),
  snapshot: (id: number, take: string, at: number, jpeg: Blob) =>
    post<Snapshot>(`incidents/${id}/snapshots?take=${name(take)}&at=${Math.round(at)}`, jpeg),
  snapshotUrl: (sha256: string) => `/api/snapshots/${name(sha256)}`,

  announce: (called: string, file: Blob) => post<Announcement>(`announcements?name=${name(called)}`, file),
  renameAnnouncement: (sha256: string, called: string) =>
    put<Announcement>(`announcements/${name(sha256)}`, { name: called } satisfies NewName),
  removeAnnouncement: (sha256: string) => remove<unknown>(`announcements/${name(sha256)}`),
  announcementUrl: (sha256: string) => `/api/announcements/${name(sha256)}`,
  announcementSound: async (sha256: string): Promise<ArrayBuffer> => {
    const answer = await fetch(`/api/announcements/${name(sha256)}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw await problem(answer);
    return answer.arrayBuffer();
  },
  beginLoop: (id: number, sha256: string) => post<Incident>(`incidents/${id}/loop`, { sha256 } satisfies NewLoop),
  endLoop: (id: number, broken: boolean) => remove<Incident>(`incidents/${id}/loop${broken ? '?broken=true' : ''}`),

  addBundle: (file: Blob, progress: (sent: number) => void) => upload<Bundle>('bundles', file, progress),
  removeBundle: (sha256: string) => remove<unknown>(`bundles/${name(sha256)}`),
  beginRollout: (rollout: NewRollout) => post<Rollout>('rollout', rollout),
  pauseRollout: () => post<Rollout>('rollout/pause'),
  resumeRollout: () => post<Rollout>('rollout/resume'),
  endRollout: () => remove<Rollout>('rollout'),

  accounts: () => get<Account[]>('accounts'),
  addAccount: (user: string, person: string, role: Role, password: string) =>
    post<unknown>('accounts', { user, name: person, role, password } satisfies NewAccount),
  password: (user: string, password: string) => put<unknown>(`accounts/${name(user)}/password`, { password }),
  removeAccount: (user: string) => remove<unknown>(`accounts/${name(user)}`),
};
