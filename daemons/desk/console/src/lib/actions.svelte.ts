// What a person asked the desk to do: under way, done, or refused. Keyed, so that a key and a button share it.

import { SvelteMap } from 'svelte/reactivity';
import { api, Refusal } from './api';
import { session } from './session.svelte';
import { store } from './store.svelte';
import type { Close, Incident } from './types';

type Standing = { pending: true } | { pending: false; refusal: Refusal };

/** A refusal stands beside its button for this long. */
const REFUSAL_MS = 15_000;
/** An answered request whose event has not come by then is shown from the answer. */
const EVENT_MS = 1500;

const standing = new SvelteMap<string, Standing>();

export function isPending(key: string): boolean {
  return standing.get(key)?.pending ?? false;
}

export function refusal(key: string): Refusal | null {
  const now = standing.get(key);
  return now === undefined || now.pending ? null : now.refusal;
}

export function forget(key: string): void {
  standing.delete(key);
}

/** Runs `work` unless it is under way. True when it was done. */
export async function perform(key: string, work: () => Promise<unknown>): Promise<boolean> {
  if (isPending(key)) return false;
  standing.set(key, { pending: true });
  try {
    await work();
    standing.delete(key);
    return true;
  } catch (error) {
    const said = error instanceof Refusal ? error : new Refusal(0, 'unexpected', String(error));
    const refused: Standing = { pending: false, refusal: said };
    standing.set(key, refused);
    setTimeout(() => standing.get(key) === refused && standing.delete(key), REFUSAL_MS);
    // A wrong password is also a 401 where one is asked for; only the missing session ends it.
    if (said.error === 'unauthorised' && session.me !== null) session.expire();
    return false;
  }
}

/** Asks for a change of an incident and waits until the screen shows it. */
function change(id: number, action: string, ask: () => Promise<Incident>): Promise<boolean> {
  return perform(actionKey(id, action), async () => {
    const before = find(id);
    const answer = await ask();
    const deadline = Date.now() + EVENT_MS;
    while (find(id) === before && Date.now() < deadline) await new Promise((done) => setTimeout(done, 20));
    if (find(id) === before) store.take(answer);
  });
}

function find(id: number): Incident | undefined {
  return store.incidents.find((incident) => incident.id === id);
}

export function actionKey(id: number, action: string): string {
  return `incident/${id}/${action}`;
}

export const acknowledge = (id: number) => change(id, 'acknowledge', () => api.acknowledge(id));
export const offer = (id: number, to: string) => change(id, 'offer', () => api.offer(id, to));
export const accept = (id: number) => change(id, 'accept', () => api.accept(id));
export const withdraw = (id: number) => change(id, 'withdraw', () => api.withdraw(id));
export const progress = (id: number, step: string) => change(id, step, () => api.progress(id, step));
export const close = (id: number, how: Close) => change(id, 'close', () => api.close(id, how));

export const beginLoop = (id: number, sha256: string) => change(id, 'loop', () => api.beginLoop(id, sha256));
export const endLoop = (id: number, broken = false) => change(id, 'loop-end', () => api.endLoop(id, broken));

/** Answers and brings the incident to the middle. */
export function answer(id: number): Promise<boolean> {
  store.selected = id;
  return change(id, 'answer', () => api.answer(id));
}
