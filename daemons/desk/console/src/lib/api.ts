// The desk's HTTP interface. Same origin, session cookie; every change carries the header that a foreign page
// cannot send.

import type {
  Account, Appliance, Close, Hold, Incident, Line, Me, NewAccount, NewBox, NewSetup, NewWatch, Pass, Problem, Role, Setup,
  SignIn, Site, Snapshot, State, Ticket,
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

  accounts: () => get<Account[]>('accounts'),
  addAccount: (user: string, person: string, role: Role, password: string) =>
    post<unknown>('accounts', { user, name: person, role, password } satisfies NewAccount),
  password: (user: string, password: string) => put<unknown>(`accounts/${name(user)}/password`, { password }),
  removeAccount: (user: string) => remove<unknown>(`accounts/${name(user)}`),
};
