// The connection to the desk: server-sent events, begun again by ourselves so that a whole state follows each start.

import { api, Refusal } from './api';
import { CHANGES, type Change } from './reduce';

export type Link = 'connecting' | 'live' | 'lost';

export interface Ears {
  /** What came, in order; to be shown as one step. */
  changes(changes: Change[]): void;
  link(link: Link): void;
  /** The session has ended. */
  signedOut(): void;
}

/** The desk ticks every 2 s: two missed and a bit, and the seat is told to use wall and telephone. */
const LOST_AFTER_MS = 5000;
const RETRY_MS = 1000;
/** An attempt that hangs for this long is given up for a new one. */
const ATTEMPT_MS = 8000;

/** Listens until the returned function is called. */
export function follow(ears: Ears): () => void {
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let begun = 0;
  let lastLife = Date.now();
  /** Changes that came while the state was on its way; they follow it. */
  let waiting: Change[] | null = [];

  async function load(): Promise<void> {
    const mine = source;
    waiting ??= [];
    try {
      const data = await api.state();
      if (mine === null || mine !== source) return;
      const changes: Change[] = [{ type: 'state', data }, ...(waiting ?? [])];
      waiting = null;
      lastLife = Date.now();
      ears.changes(changes);
      ears.link('live');
    } catch (error) {
      if (mine !== null && mine === source) gone(error);
    }
  }

  function gone(error: unknown): void {
    source?.close();
    source = null;
    ears.link(Date.now() - lastLife > LOST_AFTER_MS ? 'lost' : 'connecting');
    if (error instanceof Refusal && error.status === 401) return ears.signedOut();
    clearTimeout(retry);
    retry = setTimeout(open, RETRY_MS);
  }

  function hear(type: Change['type'], text: string): void {
    lastLife = Date.now();
    const change = { type, data: JSON.parse(text) } as Change;
    if (waiting === null) ears.changes([change]);
    else waiting.push(change);
  }

  function open(): void {
    begun = Date.now();
    waiting = [];
    const opened = new EventSource('/api/events');
    source = opened;
    // Only now: every change after this arrives here, so none falls between the state and the stream.
    opened.onopen = () => void load();
    opened.onerror = () => {
      if (opened !== source) return;
      opened.close();
      // A refused stream does not say why; the session does.
      api.me().then(() => gone(null), gone);
    };
    for (const type of CHANGES) {
      opened.addEventListener(type, (event: MessageEvent<string>) => opened === source && hear(type, event.data));
    }
    opened.addEventListener('reload', () => void load());
  }

  const watch = setInterval(() => {
    if (Date.now() - lastLife <= LOST_AFTER_MS) return;
    ears.link('lost');
    if (source !== null && Date.now() - begun > ATTEMPT_MS) gone(null);
  }, 500);

  open();
  return () => {
    clearInterval(watch);
    clearTimeout(retry);
    source?.close();
    source = null;
  };
}
