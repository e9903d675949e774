// One connection to the relay that comes back by itself, whichever of the two libraries makes it.

import type { Door } from './door';

export type LineState = 'connecting' | 'up' | 'down';

/** What both libraries' connections have. */
interface Connection {
  closed: Promise<void>;
  close(): void;
}

/** What both libraries take. */
export interface Options {
  webtransport: { serverCertificateHashes: { value: Uint8Array<ArrayBuffer> }[] };
  websocket: { url: URL };
}

export type Connect<C> = (url: URL, options: Options) => Promise<C>;

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
/** A relay that lets in and sends away again is not asked every half second. */
const STEADY_MS = 5000;

/** Connects, tells, and connects again until `stop` is called. */
export function keepLine<C extends Connection>(
  connect: Connect<C>,
  ask: () => Promise<Door>,
  tell: (state: LineState, connection: C | undefined) => void,
): () => void {
  let stopped = false;
  let open: C | undefined;
  let wake = () => {};
  const pause = (ms: number) =>
    new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      wake = () => (clearTimeout(timer), done());
    });

  async function once(): Promise<boolean> {
    tell('connecting', undefined);
    try {
      const { url, webSocket, hashes } = await ask();
      if (stopped) return false;
      const serverCertificateHashes = hashes.map((value) => ({ value }));
      open = await connect(new URL(url), { webtransport: { serverCertificateHashes }, websocket: { url: new URL(webSocket) } });
      if (stopped) return false;
      tell('up', open);
      await open.closed.catch(() => {});
      return true;
    } catch {
      return false;
    } finally {
      open?.close();
      open = undefined;
      if (!stopped) tell('down', undefined);
    }
  }

  void (async () => {
    let wait = FIRST_PAUSE_MS;
    while (!stopped) {
      const begun = performance.now();
      const steady = (await once()) && performance.now() - begun > STEADY_MS;
      wait = steady ? FIRST_PAUSE_MS : Math.min(wait * 2, LONGEST_PAUSE_MS);
      if (!stopped) await pause(wait);
    }
  })();

  return () => {
    stopped = true;
    open?.close();
    wake();
  };
}

/** For engines whose WebTransport stalls: both libraries then take the WebSocket. */
export function withoutWebTransport(): void {
  Reflect.deleteProperty(globalThis, 'WebTransport');
}
